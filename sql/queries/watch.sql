-- Marks runs as awaited and returns those that have ended. See functions/watch.sql.
select run, kind, data, attempt, known from howdah.watch($1);
