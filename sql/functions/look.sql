-- The head of every line (queue, task) that has a run to claim, without any watermark: what proves that a queue
-- is empty. One index probe per pair of a queue and a task of the node. Takes no locks.
create or replace function howdah.look(p_tasks int[], p_queues int[])
  returns table (queue int, task int, priority smallint, id bigint)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  select q.id, t.task, h.priority, h.id
  from howdah.queue q
  cross join unnest(p_tasks) t(task)
  cross join lateral (
    select j.priority, j.id from howdah.job j
    where j.queue = q.id and j.task = t.task and j.lease is null
    order by j.priority, j.id limit 1
  ) h
  where p_queues is null or q.id = any(p_queues);
end
$$;
