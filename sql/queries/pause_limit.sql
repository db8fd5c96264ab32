-- Has nothing start under a limit or one of its keys. See functions/pause_limit.sql.
select howdah.pause_limit($1, $2);
