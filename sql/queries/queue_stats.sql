-- Each queue with what it holds and how it moves. See views/queue_stats.sql.
select queue, ready, running, later, oldest_waiting_s, enqueued_per_minute, succeeded_per_minute, failed_per_minute, retention_days, paused_since from howdah.queue_stats order by queue;
