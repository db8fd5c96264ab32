-- What the queues hold, to the one node that reports it. See functions/report_queues.sql.
select queue, ready, running, later, oldest_waiting_s from howdah.report_queues($1, $2);
