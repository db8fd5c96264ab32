-- The part of fold() for events that SQL functions send: they hold the locks of the hot rows already (a reopened run's
-- is new). Notes what ends mean for others, and asks keepers to settle it, since the session may be a user's.
-- Returns how many effects there are. Locks: job, then timer, then misfit rows of these runs, in id order.
create or replace function howdah.fold_control(p_runs bigint[], p_kinds smallint[]) returns bigint
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_runs bigint[];
  v_flags smallint[];
  v_kinds smallint[];
  v_older bigint[];
  v_count bigint := 0;
begin
  with e as materialized (
    select * from unnest(p_runs, p_kinds) e(run, kind) order by run
  ), asked as (
    update howdah.job j set flags = j.flags | 1 from e where j.id = e.run and e.kind = 16
  ), freed as (
    update howdah.job j set lease = null, node = null, attempt = j.attempt - 1, crashes = j.crashes + (e.kind = 19)::int, flags = j.flags & ~512
    from e where j.id = e.run and e.kind in (19, 20) returning j.id, j.queue, j.task, j.flags, e.kind
  ), ended as (
    delete from howdah.job j using e where j.id = e.run and e.kind in (17, 18, 21, 22, 24, 25)
    returning j.id, j.flags, j.queue, j.task, e.kind, (j.lease is null)::int as ready, (j.lease is not null)::int as running, 0 as later
  ), dropped as (
    delete from howdah.timer t using e where t.id = e.run and e.kind in (17, 18)
    returning t.id, t.flags, t.queue, t.task, e.kind, 0 as ready, 0 as running, 1 as later
  ), unfit as (
    delete from howdah.misfit m using e where m.id = e.run and e.kind in (17, 18)
    returning m.id, m.flags, m.queue, m.task, e.kind, 1 as ready, 0 as running, 0 as later
  ), gone as materialized (
    select * from ended union all select * from dropped union all select * from unfit
  ), counted as (
    insert into howdah.tally (queue, task, kind, n, ready, running, later)
    select g.queue, g.task, g.kind, count(*), -sum(g.ready), -sum(g.running), -sum(g.later) from gone g group by g.queue, g.task, g.kind
    union all
    select f.queue, f.task, f.kind, count(*), count(*), -count(*), 0 from freed f group by f.queue, f.task, f.kind
  )
  select array_agg(g.id), array_agg(g.flags), array_agg(g.kind), (select array_agg(f.id) filter (where f.flags & 2048 <> 0) from freed f)
  into v_runs, v_flags, v_kinds, v_older from gone g;
  if v_older is not null then  -- Older than the limits of their task: they come under them as they wait again.
    perform howdah.knock(howdah.limit_runs(v_older));
  end if;
  if v_runs is not null then
    v_count := howdah.note_ends(v_runs, v_flags, v_kinds);
  end if;
  if v_count > 0 then
    perform howdah.tell('howdah_timer', '-1');
  end if;
  return v_count;
end
$$;
