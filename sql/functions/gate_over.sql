-- Of these runs, which kept permits, those that have ended: what they kept is free; and whether the gate has to know more before, since
-- the failure of one has blocked its key, or it was retried meanwhile, and waits to be admitted anew (flag 64 is not set). Takes no locks.
create or replace function howdah.gate_over(p_runs bigint[]) returns table (run bigint, matters boolean)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select u, w.flags is not null or exists (select from howdah.limit_key k where k.blocked = u)
  from unnest(p_runs) u
  left join lateral (
    select j.flags from howdah.job j where j.id = u
    union all select t.flags from howdah.timer t where t.id = u
    union all select m.flags from howdah.misfit m where m.id = u
    limit 1
  ) w on true
  where w.flags is null or w.flags & 64 = 0;
end
$$;
