-- Queues and tasks whose runs start nowhere until they are resumed. One row for each pause, of a queue or of a task; no row: all start.
-- Not called pause: howdah.pause('mail') would be a cast to its row type.
create table howdah.paused (
  queue int,
  task int,
  at timestamptz not null default howdah.clock(),
  check (num_nonnulls(queue, task) = 1),
  unique nulls not distinct (queue, task)
);
