-- The flags that runs of a task start with, from its defaults: 4 at most once, 16 its failure has a handler, 256 its enqueues
-- are debounced (a run also: 512, it waits for the input of the next one; see hold_open). See job.
-- Takes no locks.
create or replace function howdah.task_flags(p_defaults jsonb) returns smallint
  language sql immutable parallel safe
  return ((case when p_defaults ->> 'delivery' = 'at_most_once' then 4 else 0 end)
          + (case when p_defaults ? 'on_failure' then 16 else 0 end)
          + (case when p_defaults ? 'debounce' then 256 else 0 end))::smallint;
