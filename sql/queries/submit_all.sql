-- Enqueues the requests of many callers. See functions/submit_all.sql.
select ids, queue, task, priority, due_s, created from howdah.submit_all($1, $2, $3, $4, $5);
