-- A batch of runs that outlived the retention of their queue. See functions/trim.sql.
select examined, deleted from howdah.trim($1, $2);
