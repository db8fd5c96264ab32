-- Of these runs under these leases, those that hold them no more: the gate's permits that are free, whatever it was told.
-- One index probe for each. Takes no locks.
create or replace function howdah.gate_left(p_runs bigint[], p_leases bigint[]) returns table (run bigint)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select a.run from unnest(p_runs, p_leases) a(run, lease)
  where not exists (select from howdah.job j where j.id = a.run and j.lease = a.lease);
end
$$;
