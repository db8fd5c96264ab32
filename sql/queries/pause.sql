-- Has no run of a queue or of a task start. See functions/pause.sql.
select howdah.pause($1, $2);
