-- The part of fold() for outcomes after which a run goes on: retried and snoozed runs become timers, released ones
-- are ready again without having burned an attempt, and one whose cancel was asked for ends here instead.
-- Returns the runs whose fence held. Locks: the job rows of these runs, in id order.
create or replace function howdah.fold_moves(p_runs bigint[], p_leases bigint[], p_nodes bigint[], p_kinds smallint[], p_dues timestamptz[])
  returns bigint[]
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_held bigint[];
  v_kinds smallint[];
  v_dues timestamptz[];
  v_stopped bigint[];
  v_told bigint;
begin
  with e as materialized (
    select * from unnest(p_runs, p_leases, p_nodes, p_kinds, p_dues) e(run, lease, node, kind, due) order by run
  ), held as materialized (
    select j.id, j.flags, e.kind, e.due from e join howdah.job j on j.id = e.run and j.lease = e.lease and j.node = e.node for update of j
  )
  select array_agg(h.id), array_agg(h.kind), array_agg(h.due), array_agg(h.id) filter (where h.flags & 1 <> 0)
  into v_held, v_kinds, v_dues, v_stopped from held h;
  if v_held is null then
    return '{}';
  end if;
  if v_stopped is not null then
    insert into howdah.event (run, kind) select s, 17 from unnest(v_stopped) s;
  end if;
  with e as materialized (
    select * from unnest(v_held, v_kinds, v_dues) e(run, kind, due) where kind in (4, 5)
  ), parked as (
    delete from howdah.job j using e where j.id = e.run
    returning j.id, j.queue, j.task, j.priority, j.attempt, j.flags, e.kind, e.due
  )
  insert into howdah.timer (id, due, queue, task, priority, attempt, flags, retrying)
  select p.id, p.due, p.queue, p.task, p.priority, case p.kind when 5 then p.attempt - 1 else p.attempt end, p.flags, p.kind = 4
  from parked p;
  with e as materialized (
    select * from unnest(v_held, v_kinds) e(run, kind) where kind = 6
  ), back as (
    update howdah.job j set lease = null, node = null, attempt = j.attempt - 1 from e where j.id = e.run
    returning j.id, j.queue, j.task, j.priority
  ), told as (
    select distinct on (b.queue, b.task) b.queue, b.task, b.priority, b.id from back b order by b.queue, b.task, b.priority, b.id
  )
  select count(howdah.wake(t.queue, t.task, t.priority, t.id)) into v_told from told t;
  return v_held;
end
$$;
