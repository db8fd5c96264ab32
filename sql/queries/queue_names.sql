-- The names of these queues.
select id, name from howdah.queue where id = any($1);
