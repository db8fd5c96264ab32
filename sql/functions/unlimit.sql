-- Of these runs takes those that wait from under limits that their task has no more: nodes that have the task as it is now would never be
-- given them. Where they may go anywhere they leave their lines, and any node may claim them. Answers the others.
-- Locks: job, then timer, then misfit rows of such runs, each in id order.
create or replace function howdah.unlimit(p_runs bigint[]) returns bigint[]
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_runs bigint[];
  v_free bigint[];
  v_kept constant int := 32 | 64 | 128;
begin
  if not exists (
    select from unnest(p_runs) u cross join lateral (select r.task, r.demands from howdah.run r where r.id = u offset 0) r
    join howdah.task t on t.id = r.task and t.limits is null where r.demands <> '[]'
  ) then
    return p_runs;
  end if;
  v_runs := array(
    select j.id from howdah.job j where j.id = any(p_runs) and j.line is not null and j.lease is null order by j.id for update
  ) || array(
    select w.id from howdah.timer w where w.id = any(p_runs) and w.line is not null order by w.id for update
  ) || array(
    select m.id from howdah.misfit m where m.id = any(p_runs) and m.line is not null order by m.id for update
  );
  with freed as (
    update howdah.run r set demands = case when r.placement is not null then '[]'::jsonb end
    from unnest(v_runs) u, howdah.task t
    where r.id = u and r.demands <> '[]' and t.id = r.task and t.limits is null returning r.id, r.placement
  )
  select array_agg(f.id), coalesce(array_agg(f.id) filter (where f.placement is null), '{}') into v_runs, v_free from freed f;
  update howdah.job j set flags = (j.flags & ~v_kept)::smallint, line = howdah.line_of(j.queue, j.task, r.demands, r.placement)
  from howdah.run r where j.id = any(v_runs) and r.id = j.id;
  update howdah.timer j set flags = (j.flags & ~v_kept)::smallint, line = howdah.line_of(j.queue, j.task, r.demands, r.placement)
  from howdah.run r where j.id = any(v_runs) and r.id = j.id;
  update howdah.misfit j set flags = (j.flags & ~v_kept)::smallint, line = howdah.line_of(j.queue, j.task, r.demands, r.placement)
  from howdah.run r where j.id = any(v_runs) and r.id = j.id;
  perform howdah.wake(l.queue, l.task, l.priority, l.id)
  from (
    select distinct on (j.queue, j.task) j.queue, j.task, j.priority, j.id
    from howdah.job j where j.id = any(v_free) order by j.queue, j.task, j.priority, j.id
  ) l;
  return array(select u from unnest(p_runs) u where u <> all (v_free));
end
$$;
