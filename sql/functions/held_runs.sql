-- Runs that nodes hold now, those first that were asked to stop and still go on, then those that say how far they are: of the fifty
-- lines (queue, task) that hold most, among the first thousand runs of each priority, since held ones stand at the head of their line.
-- What a run says of its progress is the user's own: it is told to whoever may read it in howdah.runs. Takes no locks.
create or replace function howdah.held_runs(p_limit int)
  returns table (run bigint, task text, queue text, node text, attempt smallint, enqueued_at timestamptz, stopping boolean,
                 progress json, reported_at timestamptz)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_lines_max int := 50;
  v_walk_max int := 1000;
  v_told boolean := has_column_privilege(session_user, 'howdah.runs', 'progress', 'select');
begin
  return query
  with recursive line as materialized (
    select s.queue, s.task, sum(s.running)::bigint as running
    from howdah.standing() s group by s.queue, s.task having sum(s.running) > 0 order by sum(s.running) desc, s.queue, s.task limit v_lines_max
  ), level as (
    select l.queue, l.task, l.running, h.free, h.priority
    from line l cross join lateral (
      select j.line is null as free, j.priority from howdah.job j
      where j.crashes < 2 and j.queue = l.queue and j.task = l.task order by (j.line is null), j.priority limit 1
    ) h
    union all
    select l.queue, l.task, l.running, next.free, next.priority
    from level l cross join lateral (
      select j.line is null as free, j.priority from howdah.job j
      where j.crashes < 2 and j.queue = l.queue and j.task = l.task and ((j.line is null), j.priority) > (l.free, l.priority)
      order by (j.line is null), j.priority limit 1
    ) next
  ), held as materialized (
    select h.id, h.queue, h.task, h.node, h.attempt, h.flags
    from level l cross join lateral (
      select x.id, x.queue, x.task, x.node, x.attempt, x.flags from (
        select j.id, j.queue, j.task, j.node, j.attempt, j.flags, j.lease from howdah.job j
        where j.crashes < 2 and j.queue = l.queue and j.task = l.task and (j.line is null) = l.free and j.priority = l.priority
        order by j.id limit v_walk_max
      ) x where x.lease is not null limit least(p_limit, l.running)
    ) h
    union all
    (select j.id, j.queue, j.task, j.node, j.attempt, j.flags from howdah.job j where j.crashes >= 2 and j.lease is not null limit p_limit)
  ), first as materialized (
    select h.id, h.queue, h.task, h.node, h.attempt, h.flags & 1 = 1 as stopping, p.value, p.at
    from held h left join howdah.progress p on p.run = h.id
    order by h.flags & 1 desc, p.at desc nulls last, h.id limit p_limit
  )
  select f.id, (select t.name from howdah.task t where t.id = f.task), (select q.name from howdah.queue q where q.id = f.queue),
    (select n.name from howdah.node n where n.id = f.node), f.attempt, (select r.at from howdah.run r where r.id = f.id), f.stopping,
    case when v_told then f.value end, f.at
  from first f order by f.stopping desc, f.at desc nulls last, f.id;
end
$$;
