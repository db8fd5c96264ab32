-- Puts the runs of a task that wait without limits under those that it has now, and where its placement lets them go: they were enqueued
-- before it had any, as by SQL before anybody had defined it. One whose key cannot be found goes under the empty key. The gate looks at
-- everything after this.
-- Locks: the unclaimed job, timer and misfit rows of the task, each in id order.
create or replace function howdah.limit_pending(p_task int) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_runs bigint[];
begin
  -- Those that are locked here and no others: what comes meanwhile may be claimed at once.
  v_runs := array(select j.id from howdah.job j where j.task = p_task and j.line is null and j.lease is null order by j.id for update)
    || array(select t.id from howdah.timer t where t.task = p_task and t.line is null order by t.id for update)
    || array(select m.id from howdah.misfit m where m.task = p_task and m.line is null order by m.id for update);
  if v_runs = '{}' then
    return;
  end if;
  update howdah.run r set demands = coalesce(d.demands[1], '[]'), placement = d.placement
  from unnest(v_runs) u(id)
  join howdah.run a on a.id = u.id join howdah.task t on t.id = p_task
  cross join lateral (
    select case when t.limits is not null then howdah.demands(t.name, t.limits, array[a.args::text], array['{"*": ""}']) end as demands,
           case when t.placement is not null then howdah.placement_of(t.name, t.placement, null, a.parent) end as placement
  ) d
  where r.id = u.id and (t.limits is not null or d.placement is not null);
  update howdah.job j set line = howdah.line_of(j.queue, j.task, r.demands, r.placement), flags = j.flags | howdah.demand_flags(r.demands) from howdah.run r where j.id = any(v_runs) and r.id = j.id;
  update howdah.timer j set line = howdah.line_of(j.queue, j.task, r.demands, r.placement), flags = j.flags | howdah.demand_flags(r.demands) from howdah.run r where j.id = any(v_runs) and r.id = j.id;
  update howdah.misfit j set line = howdah.line_of(j.queue, j.task, r.demands, r.placement), flags = j.flags | howdah.demand_flags(r.demands) from howdah.run r where j.id = any(v_runs) and r.id = j.id;
  perform howdah.tell('howdah_gate', 'look');
end
$$;
