-- The lines (queue, task, priority) that hold pending runs, those with limits (free is false) and suspects apart: one index probe for each, however many runs
-- there are, and at most a thousand of each sort. Takes no locks.
create or replace function howdah.pending_lines(p_queues int[], p_tasks int[])
  returns table (queue int, task int, priority smallint, suspect boolean, free boolean)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_max int := 1000;
begin
  return query
  with recursive level as (
    (select j.queue, j.task, j.line is null as free, j.priority, 1 as n from howdah.job j
     where j.crashes < 2 order by j.queue, j.task, (j.line is null), j.priority limit 1)
    union all
    select next.queue, next.task, next.free, next.priority, l.n + 1
    from level l
    cross join lateral (
      select j.queue, j.task, j.line is null as free, j.priority from howdah.job j
      where j.crashes < 2 and (j.queue, j.task, (j.line is null), j.priority) > (l.queue, l.task, l.free, l.priority)
      order by j.queue, j.task, (j.line is null), j.priority limit 1
    ) next
    where l.n < v_max
  )
  select l.queue, l.task, l.priority, false, l.free from level l
  where (p_queues is null or l.queue = any(p_queues)) and (p_tasks is null or l.task = any(p_tasks));
  return query
  with recursive level as (
    (select j.queue, j.task, j.priority, 1 as n from howdah.job j where j.crashes >= 2 order by j.queue, j.task, j.priority limit 1)
    union all
    select next.queue, next.task, next.priority, l.n + 1
    from level l
    cross join lateral (
      select j.queue, j.task, j.priority from howdah.job j
      where j.crashes >= 2 and (j.queue, j.task, j.priority) > (l.queue, l.task, l.priority)
      order by j.queue, j.task, j.priority limit 1
    ) next
    where l.n < v_max
  )
  select l.queue, l.task, l.priority, true, null::boolean from level l
  where (p_queues is null or l.queue = any(p_queues)) and (p_tasks is null or l.task = any(p_tasks));
end
$$;
