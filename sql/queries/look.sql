-- The head of each line of these tasks and queues. See functions/look.sql.
select queue, task, priority, id, aside from howdah.look($1, $2, $3);
