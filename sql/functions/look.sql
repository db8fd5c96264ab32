-- The head of every line (queue, task) that has a run for this node to claim, without any watermark: what proves that
-- a queue is empty. One index probe per pair of a queue and a task of the node; lines with a suspect, or with a misfit
-- that the node's definition has not tried, are there, too; those of a paused queue or task are not. Beside them a row without a queue for
-- each of these tasks of which runs wait for the gate: who has them is to tell the gate of its room. Takes no locks.
create or replace function howdah.look(p_node bigint, p_tasks int[], p_queues int[])
  returns table (queue int, task int, priority smallint, id bigint, aside boolean)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  if exists (select from howdah.paused) then
    p_tasks := array(select t.task from unnest(p_tasks) t(task) where not exists (select from howdah.paused h where h.task = t.task));
    p_queues := array(
      select q.id from howdah.queue q
      where (p_queues is null or q.id = any(p_queues)) and not exists (select from howdah.paused h where h.queue = q.id)
    );
  end if;
  return query
  select q.id, t.task, h.priority, h.id, false
  from howdah.queue q
  cross join unnest(p_tasks) t(task)
  cross join lateral (
    select j.priority, j.id from howdah.job j
    where j.queue = q.id and j.task = t.task and j.line is null and j.lease is null and j.crashes < 2
    order by j.priority, j.id limit 1
  ) h
  where p_queues is null or q.id = any(p_queues);
  if exists (select from howdah.job j where j.line is not null and j.crashes < 2) then
    return query
    select null::int, t.task, null::smallint, null::bigint, false
    from unnest(p_tasks) t(task)
    where exists (
      select from howdah.queue q cross join lateral (
        select from howdah.job j where j.queue = q.id and j.task = t.task and (j.line is null) = false and j.lease is null and j.crashes < 2 limit 1
      ) w
      where p_queues is null or q.id = any(p_queues)
    );
  end if;
  if exists (select from howdah.misfit) or exists (select from howdah.job j where j.crashes >= 2) then
    return query
    select a.queue, a.task, min(a.priority), min(a.id), true from (
      select j.queue, j.task, j.priority, j.id from howdah.job j where j.crashes >= 2 and j.lease is null and j.line is null
      union all
      select q.id, d.task, m.priority, m.id
      from howdah.node n
      cross join unnest(n.tasks, n.hashes) d(task, hash)
      cross join howdah.queue q
      cross join lateral howdah.refusals(q.id, d.task) g(hashes)
      cross join lateral (
        select f.priority, f.id from howdah.misfit f
        where f.queue = q.id and f.task = d.task and f.hashes = g.hashes order by f.priority, f.id limit 1
      ) m
      where n.id = p_node and d.hash <> all (g.hashes)
    ) a
    where a.task = any(p_tasks) and (p_queues is null or a.queue = any(p_queues))
    group by a.queue, a.task;
  end if;
end
$$;
