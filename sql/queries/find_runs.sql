-- The newest runs that pass a filter, and how far the search got. See functions/find_runs.sql.
select runs, cursor from howdah.find_runs($1::text::jsonb, $2);
