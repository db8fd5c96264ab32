-- How runs ended: the newest final event of each, and how many attempts it took. Runs that have not ended, or that were
-- reopened since, are left out. One that was cancelled while it ran says with which reason somebody asked for that.
-- The bounds are given beside the list, because a list alone does not prune partitions. Takes no locks.
create or replace function howdah.outcomes(p_runs bigint[]) returns table (run bigint, kind smallint, data json, attempt bigint)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_low bigint;
  v_high bigint;
begin
  select min(u), max(u) into v_low, v_high from unnest(p_runs) u;
  return query
  select r.id, v.kind, case when v.kind in (3, 17) and v.data is null then (
    select c.data from howdah.event c where c.task = r.task and c.run = r.id and c.kind = 16 order by c.at desc limit 1
  ) else v.data end, (
    select count(*) from howdah.event t where t.task = r.task and t.run = r.id and t.kind in (1, 2, 3, 4)
  )
  from howdah.run r
  cross join lateral (
    select w.kind, w.data from howdah.event w
    where w.task = r.task and w.run = r.id and w.kind in (1, 2, 3, 17, 18, 21, 22, 23, 24, 25) order by w.at desc limit 1
  ) v
  where r.id = any(p_runs) and r.id between v_low and v_high and v.kind <> 23;
end
$$;
