-- Takes a pause of a limit or of one of its keys back. See functions/resume_limit.sql.
select howdah.resume_limit($1, $2);
