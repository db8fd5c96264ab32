-- How runs ended: the final event of each, and how many attempts it took. Runs that have not ended are left out.
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
  select v.run, v.kind, v.data, (
    select count(*) from howdah.event t where t.run = v.run and t.kind in (1, 2, 3, 4)
  )
  from howdah.event v
  where v.run = any(p_runs) and v.run between v_low and v_high and v.kind in (1, 2, 3, 17, 18);
end
$$;
