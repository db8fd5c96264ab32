-- Lets runs of a queue or of a task start again. See functions/resume.sql.
select howdah.resume($1, $2);
