-- How attempts (run, lease) of these tasks ended, for breakers: failed, where they raised (retried or for the last time), or not, where
-- they succeeded. Others, as cancelled, released, snoozed or reaped ones, say nothing and are left out. Takes no locks.
create or replace function howdah.gate_verdicts(p_runs bigint[], p_leases bigint[], p_tasks int[]) returns table (run bigint, failed boolean)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_low bigint;
  v_high bigint;
begin
  select min(u), max(u) into v_low, v_high from unnest(p_runs) u;
  return query
  select a.run, v.kind <> 1
  from unnest(p_runs, p_leases, p_tasks) a(run, lease, task)
  cross join lateral (
    select e.kind from howdah.event e
    where e.task = a.task and e.run = a.run and e.lease = a.lease and e.kind in (1, 2, 4) and e.run between v_low and v_high limit 1
  ) v;
end
$$;
