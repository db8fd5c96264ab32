-- The number of a queue. See functions/queue_id.sql.
select howdah.queue_id($1) as id;
