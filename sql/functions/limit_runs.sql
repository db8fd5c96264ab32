-- Puts these pending runs under the limits that their tasks have now, and where their placement lets them go: they were enqueued before
-- that was so, as by SQL before anybody had defined the task, or ended, or were held, when it came (flag 2048). One that keeps permits
-- until it has ended (flag 64) has begun, and goes on under those. Answers those that have another line now.
-- Locks: none but those of their hot rows, which its callers hold.
create or replace function howdah.limit_runs(p_runs bigint[]) returns bigint[]
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_older constant int := 2048;
  v_changed bigint[];
  v_kept constant int := 32 | 128 | 2048;
begin
  update howdah.job j set flags = j.flags & ~v_older where j.id = any(p_runs) and j.flags & v_older <> 0;
  with now as materialized (
    select r.id, r.demands, r.placement, case when t.limits is not null then howdah.demands_anyway(t.name, t.limits, r.args, r.demands)
                                              else '[]'::jsonb end as wanted,
           d.placement as place
    from unnest(p_runs) u(id)
    join howdah.run r on r.id = u.id join howdah.task t on t.id = r.task
    cross join lateral (
      select case when r.placement is null and t.placement is not null then howdah.placement_of(t.name, t.placement, null, r.parent)
                  else r.placement end as placement
    ) d
    where t.limits is not null or d.placement is not null
  ), changed as (
    update howdah.run r set demands = n.wanted, placement = n.place
    from now n where r.id = n.id and (n.demands is distinct from n.wanted or n.placement is distinct from n.place)
      and not exists (select from howdah.job j where j.id = n.id and j.flags & 64 <> 0)
      and not exists (select from howdah.timer w where w.id = n.id and w.flags & 64 <> 0)
      and not exists (select from howdah.misfit m where m.id = n.id and m.flags & 64 <> 0)
    returning r.id
  )
  select array_agg(c.id) into v_changed from changed c;
  if v_changed is null then
    return '{}';
  end if;
  update howdah.job j set line = howdah.line_of(j.queue, j.task, r.demands, r.placement), flags = j.flags & ~v_kept | howdah.demand_flags(r.demands)
  from howdah.run r where j.id = any(v_changed) and r.id = j.id;
  update howdah.timer w set line = howdah.line_of(w.queue, w.task, r.demands, r.placement), flags = w.flags & ~v_kept | howdah.demand_flags(r.demands)
  from howdah.run r where w.id = any(v_changed) and r.id = w.id;
  update howdah.misfit m set line = howdah.line_of(m.queue, m.task, r.demands, r.placement), flags = m.flags & ~v_kept | howdah.demand_flags(r.demands)
  from howdah.run r where m.id = any(v_changed) and r.id = m.id;
  return v_changed;
end
$$;
