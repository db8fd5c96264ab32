-- A node enters. See functions/join_node.sql.
select howdah.join_node($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::jsonb) as now;
