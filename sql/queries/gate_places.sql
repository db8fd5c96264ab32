-- Which nodes placements allow, and how well they fit. See functions/gate_places.sql.
select n, node, score from howdah.gate_places($1::text[]::jsonb[]);
