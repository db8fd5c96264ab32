-- Since when the oldest run of each of these queues waits for a claim: one probe for each task and priority that the queue holds, at
-- most a hundred of them. A line whose first ten thousand runs are all claimed is left out, and so are suspects. For a few queues of
-- many: oldest_waiting() is about all of them, and about a thousand lines at most. Takes no locks.
create or replace function howdah.waiting_since(p_queues int[]) returns table (queue int, since timestamptz)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_lines_max int := 100;
  v_walk_max int := 10000;
begin
  return query
  with recursive line as (
    select q.queue, h.task, h.free, h.priority, 1 as n
    from unnest(p_queues) q(queue)
    cross join lateral (
      select j.task, j.line is null as free, j.priority from howdah.job j
      where j.crashes < 2 and j.queue = q.queue order by j.task, (j.line is null), j.priority limit 1
    ) h
    union all
    select l.queue, next.task, next.free, next.priority, l.n + 1
    from line l
    cross join lateral (
      select j.task, j.line is null as free, j.priority from howdah.job j
      where j.crashes < 2 and j.queue = l.queue and (j.task, (j.line is null), j.priority) > (l.task, l.free, l.priority)
      order by j.task, (j.line is null), j.priority limit 1
    ) next
    where l.n < v_lines_max
  ), head as materialized (
    select l.queue, min(h.id) as run
    from line l
    cross join lateral (
      select x.id from (
        select j.id, j.lease from howdah.job j
        where j.crashes < 2 and j.queue = l.queue and j.task = l.task and (j.line is null) = l.free and j.priority = l.priority
        order by j.id limit v_walk_max
      ) x where x.lease is null limit 1
    ) h
    group by l.queue
  )
  select h.queue, r.at from head h cross join lateral (select r.at from howdah.run r where r.id = h.run offset 0) r;
end
$$;
