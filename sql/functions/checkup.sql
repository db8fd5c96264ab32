-- What `howdah doctor` asks of tables that its reader may not see: rows without a day, runs held by nodes that are no more, tasks whose
-- runs wait for nobody, runs that may go nowhere (subject: the task, detail: why, n: the oldest of its line), pauses, breakers that are
-- open, and what is late. At most p_limit rows of each symptom, and how many nodes live. Counts runs that are
-- held in one pass over job, as reap does: for a look by hand, not for each second. Takes no locks.
create or replace function howdah.checkup(p_limit int)
  returns table (symptom text, subject text, detail text, n bigint, since timestamptz)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set jit = off
as $$
#variable_conflict use_column
declare
  v_walk_max int := 10000;
begin
  return query
  select 'homeless_rows', x.day::text, null::text, count(*), null::timestamptz
  from (
    (select r.id >> 40 as day from howdah.run_default r limit v_walk_max)
    union all
    (select e.run >> 40 from howdah.event_default e limit v_walk_max)
  ) x group by x.day order by x.day limit p_limit;
  return query
  select 'orphaned_runs', j.node::text, null::text, count(*), null::timestamptz
  from howdah.job j where j.node is not null and not exists (select from howdah.node n where n.id = j.node)
  group by j.node order by j.node limit p_limit;
  return query
  select 'unknown_task', t.name, q.name, l.ready, null::timestamptz
  from (
    select s.queue, s.task, sum(s.ready)::bigint as ready from howdah.standing() s group by s.queue, s.task having sum(s.ready) > 0
  ) l join howdah.task t on t.id = l.task join howdah.queue q on q.id = l.queue
  where not exists (
    select from howdah.node n where n.until > howdah.clock() and l.task = any(n.tasks) and (n.queues is null or l.queue = any(n.queues))
  )
  order by l.ready desc, t.name, q.name limit p_limit;
  return query
  select 'unplaced_runs', u.task, u.why, u.first_run, u.since from howdah.unplaced_lines(1000) u limit p_limit;
  return query
  select 'living_nodes', null::text, null::text, count(*), null::timestamptz from howdah.node n where n.until > howdah.clock();
  return query
  select 'paused_node', o.node, null::text, 1::bigint, o.at
  from howdah.node_order o where o.what = 'pause' and exists (select from howdah.node n where n.name = o.node) order by o.at limit p_limit;
  return query
  select case when p.task is null then 'paused_queue' else 'paused_task' end, coalesce(q.name, t.name), null::text, 1::bigint, p.at
  from howdah.paused p left join howdah.queue q on q.id = p.queue left join howdah.task t on t.id = p.task order by p.at limit p_limit;
  return query
  select 'no_gate', null::text, null::text, w.n, null::timestamptz
  from (select count(*) as n from (select from howdah.job j where j.line is not null and j.lease is null limit v_walk_max) x) w
  where w.n > 0 and not exists (select from howdah.gate g join howdah.node n on n.id = g.node and n.until > howdah.clock());
  return query
  select 'open_breaker', b.name, b.key, 1::bigint, b.opened from howdah.breaker b where b.until is not null order by b.opened, b.name, b.key limit p_limit;
  return query
  select 'unsettled_effects', null::text, null::text, 1::bigint, i.at from howdah.inbox i order by i.id limit 1;
  return query
  select 'overdue_timers', null::text, null::text, 1::bigint, w.due from howdah.timer w where w.due < howdah.clock() order by w.due limit 1;
end
$$;
