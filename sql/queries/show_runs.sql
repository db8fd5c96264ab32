-- These runs as rows of the view howdah.runs. See functions/show_runs.sql.
select id, task, queue, state, priority, enqueued_at, due_at, started_at, ended_at, attempts, crashes, parent, root, tags, metadata, args, result, error, reason, progress, node from howdah.show_runs($1);
