-- The part of fold() for outcomes after which a run goes on: retried and snoozed runs become timers, released ones
-- are ready again without having burned an attempt, misfits wait for a node with another definition, and a run whose
-- cancel was asked for ends here instead. None of them waits to be debounced any more (512, see hold_open); those that are older
-- than the limits of their task come under them (2048, see limit_pending). Returns the runs whose fence held. Locks: the job rows of these runs, in id order.
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
  v_older bigint[];
  v_told bigint;
  v_gated bigint[];
begin
  with e as materialized (
    select * from unnest(p_runs, p_leases, p_nodes, p_kinds, p_dues) e(run, lease, node, kind, due) order by run
  ), held as materialized (
    select j.id, j.queue, j.task, j.flags, e.kind, e.due
    from e join howdah.job j on j.id = e.run and j.lease = e.lease and j.node = e.node for update of j
  ), stopped as (
    insert into howdah.event (run, task, kind) select h.id, h.task, 17 from held h where h.flags & 1 <> 0
  ), counted as (
    -- The end is what moves them, and is counted by itself.
    insert into howdah.tally (queue, task, kind, n, ready, running, later)
    select h.queue, h.task, h.kind, count(*), 0, 0, 0 from held h where h.flags & 1 <> 0 group by h.queue, h.task, h.kind
  )
  select array_agg(h.id), array_agg(h.kind), array_agg(h.due), array_agg(h.id) filter (where h.flags & 2048 <> 0)
  into v_held, v_kinds, v_dues, v_older from held h;
  if v_held is null then
    return '{}';
  end if;
  if v_older is not null then
    perform howdah.limit_runs(v_older);
  end if;
  with e as materialized (
    select * from unnest(v_held, v_kinds, v_dues) e(run, kind, due) where kind in (4, 5)
  ), parked as (
    delete from howdah.job j using e where j.id = e.run
    returning j.id, j.queue, j.task, j.priority + coalesce(j.lifted, 0) as priority, j.attempt, j.flags, j.crashes, j.line, e.kind, e.due
  ), counted as (
    insert into howdah.tally (queue, task, kind, n, ready, running, later)
    select p.queue, p.task, p.kind, count(*), 0, -count(*), count(*) from parked p group by p.queue, p.task, p.kind
  )
  insert into howdah.timer (id, due, queue, task, priority, attempt, flags, crashes, retrying, line)
  select p.id, p.due, p.queue, p.task, p.priority, case p.kind when 5 then p.attempt - 1 else p.attempt end, p.flags & ~512, p.crashes, p.kind = 4, p.line
  from parked p;
  with e as materialized (
    select * from unnest(v_held, v_kinds) e(run, kind) where kind = 6
  ), back as (
    update howdah.job j set lease = null, node = null, attempt = j.attempt - 1, flags = j.flags & ~512 from e where j.id = e.run
    returning j.id, j.queue, j.task, j.priority, j.line
  ), counted as (
    insert into howdah.tally (queue, task, kind, n, ready, running, later)
    select b.queue, b.task, 6, count(*), count(*), -count(*), 0 from back b group by b.queue, b.task
  ), told as (
    select distinct on (b.queue, b.task) b.queue, b.task, b.priority, b.id from back b where b.line is null order by b.queue, b.task, b.priority, b.id
  )
  select count(howdah.wake(t.queue, t.task, t.priority, t.id)), (select array_agg(b.id) from back b where b.line is not null)
  into v_told, v_gated from told t;
  perform howdah.knock(v_gated);
  if 7 = any(v_kinds) then
    perform howdah.set_aside(array(select e.run from unnest(v_held, v_kinds) e(run, kind) where e.kind = 7));
  end if;
  return v_held;
end
$$;
