-- The state of one run. See functions/state.sql.
select howdah.state($1) as state;
