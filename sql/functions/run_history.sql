-- What happened to a run, oldest first: its newest p_limit events, with what its attempts logged. Takes no locks.
create or replace function howdah.run_history(p_run bigint, p_limit int)
  returns table (kind text, at timestamptz, started_at timestamptz, lease bigint, node bigint, delay_s double precision, data json, logs json)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_task int := (select r.task from howdah.run r where r.id = p_run);
begin
  return query
  select (select k.name from howdah.kind k where k.id = x.kind), x.at, x.started, x.lease, x.node,
         extract(epoch from x.delay)::double precision, x.data, x.logs
  from (select e.* from howdah.event e where e.task = v_task and e.run = p_run order by e.at desc, e.kind limit p_limit) x
  order by x.at, x.kind desc;
end
$$;
