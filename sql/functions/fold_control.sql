-- The part of fold() for events that SQL functions send: they hold the locks of the hot rows already.
-- Returns the runs that ended and whose result somebody awaits, and asks keepers to settle, since the session may be a user's. Locks: job, then timer rows of these runs, in id order.
create or replace function howdah.fold_control(p_runs bigint[], p_kinds smallint[]) returns bigint[]
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_awaited bigint[];
begin
  with e as materialized (
    select * from unnest(p_runs, p_kinds) e(run, kind) order by run
  ), asked as (
    update howdah.job j set flags = j.flags | 1 from e where j.id = e.run and e.kind = 16
  ), freed as (
    update howdah.job j set lease = null, node = null, attempt = j.attempt - 1 from e where j.id = e.run and e.kind = 19
  ), ended as (
    delete from howdah.job j using e where j.id = e.run and e.kind in (17, 18) returning j.id, j.flags
  ), dropped as (
    delete from howdah.timer t using e where t.id = e.run and e.kind in (17, 18) returning t.id, t.flags
  )
  select array_agg(x.id) into v_awaited
  from (select * from ended union all select * from dropped) x where x.flags & 2 <> 0;
  if v_awaited is not null then
    perform pg_notify('howdah_timer', '-1');
  end if;
  return v_awaited;
end
$$;
