-- Of these runs takes those that wait out of their lines whose task has no limits any more: any node may claim them, and nodes that
-- have the task as it is now would never be given them by the gate. One that has a placement waits for the gate still, in the line of
-- that alone. Answers those that wait for the gate.
-- Locks: job, then timer, then misfit rows of such runs, each in id order.
create or replace function howdah.unlimit(p_runs bigint[]) returns bigint[]
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_free bigint[];
  v_placed bigint[];
  v_kept constant int := 32 | 64 | 128;
begin
  v_free := array(
    select j.id from howdah.job j join howdah.task t on t.id = j.task
    where j.id = any(p_runs) and j.line is not null and j.lease is null and t.limits is null and howdah.has_demands(j.id) order by j.id for update of j
  ) || array(
    select w.id from howdah.timer w join howdah.task t on t.id = w.task
    where w.id = any(p_runs) and w.line is not null and t.limits is null and howdah.has_demands(w.id) order by w.id for update of w
  ) || array(
    select m.id from howdah.misfit m join howdah.task t on t.id = m.task
    where m.id = any(p_runs) and m.line is not null and t.limits is null and howdah.has_demands(m.id) order by m.id for update of m
  );
  if v_free = '{}' then
    return p_runs;
  end if;
  update howdah.run r set demands = case when r.placement is not null then '[]'::jsonb end from unnest(v_free) f where r.id = f;
  v_placed := array(select r.id from unnest(v_free) f join howdah.run r on r.id = f where r.placement is not null);
  update howdah.timer w set flags = (w.flags & ~v_kept)::smallint,
    line = howdah.line_of(w.queue, w.task, r.demands,
                          case when w.flags & 1024 <> 0 then howdah.misfit_placement(r.placement, w.task, w.id) else r.placement end)
  from howdah.run r where w.id = any(v_free) and r.id = w.id;
  update howdah.misfit m set flags = (m.flags & ~v_kept)::smallint, line = howdah.line_of(m.queue, m.task, r.demands, r.placement)
  from howdah.run r where m.id = any(v_free) and r.id = m.id;
  update howdah.job j set flags = (j.flags & ~v_kept)::smallint,
    line = howdah.line_of(j.queue, j.task, r.demands,
                          case when j.flags & 1024 <> 0 then howdah.misfit_placement(r.placement, j.task, j.id) else r.placement end)
  from howdah.run r where j.id = any(v_free) and r.id = j.id;
  perform howdah.wake(l.queue, l.task, l.priority, l.id)
  from (
    select distinct on (j.queue, j.task) j.queue, j.task, j.priority, j.id
    from howdah.job j where j.id = any(v_free) and j.line is null order by j.queue, j.task, j.priority, j.id
  ) l;
  return array(select u from unnest(p_runs) u where u <> all (v_free) or u = any(v_placed));
end
$$;
