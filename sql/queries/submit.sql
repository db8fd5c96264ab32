-- Enqueues runs of one task. See functions/submit.sql.
select ids, queue, task, priority, due_s from howdah.submit($1, $2, $3, $4);
