-- How many runs pass a filter, from the roll-up. See functions/count_runs.sql.
select howdah.count_runs($1::text::jsonb) as runs;
