-- What happened to a run. See functions/run_history.sql.
select kind, at, started_at, lease, node, delay_s, data, logs from howdah.run_history($1, $2);
