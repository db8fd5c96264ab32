-- Each task with what it holds and how it moves. See views/task_stats.sql.
select task, queue, implemented, ready, running, later, oldest_waiting_s, enqueued_per_minute, succeeded_per_minute, failed_per_minute, succeeded, failed, cancelled, retried from howdah.task_stats order by task;
