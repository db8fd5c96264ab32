-- Of these runs, which kept permits, those that have ended: what they kept is free; and whether the failure of one has blocked its key,
-- which the gate has to know before. Takes no locks.
create or replace function howdah.gate_over(p_runs bigint[]) returns table (run bigint, blocks boolean)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select u, exists (select from howdah.limit_key k where k.blocked = u) from unnest(p_runs) u where not howdah.is_pending(u);
end
$$;
