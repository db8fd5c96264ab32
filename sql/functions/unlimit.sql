-- Of these runs takes those that wait out of their lines whose task has no limits any more: any node may claim them, and nodes that
-- have the task as it is now would never be given them by the gate. Answers the others.
-- Locks: job, then timer, then misfit rows of such runs, each in id order.
create or replace function howdah.unlimit(p_runs bigint[]) returns bigint[]
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_free bigint[];
  v_kept constant int := 32 | 64 | 128;
begin
  v_free := array(
    select j.id from howdah.job j join howdah.task t on t.id = j.task
    where j.id = any(p_runs) and j.line is not null and j.lease is null and t.limits is null order by j.id for update of j
  ) || array(
    select w.id from howdah.timer w join howdah.task t on t.id = w.task
    where w.id = any(p_runs) and w.line is not null and t.limits is null order by w.id for update of w
  ) || array(
    select m.id from howdah.misfit m join howdah.task t on t.id = m.task
    where m.id = any(p_runs) and m.line is not null and t.limits is null order by m.id for update of m
  );
  if v_free = '{}' then
    return p_runs;
  end if;
  update howdah.run r set demands = null from unnest(v_free) f where r.id = f;
  update howdah.timer w set line = null, flags = (w.flags & ~v_kept)::smallint where w.id = any(v_free);
  update howdah.misfit m set line = null, flags = (m.flags & ~v_kept)::smallint where m.id = any(v_free);
  update howdah.job j set line = null, flags = (j.flags & ~v_kept)::smallint where j.id = any(v_free);
  perform howdah.wake(l.queue, l.task, l.priority, l.id)
  from (
    select distinct on (j.queue, j.task) j.queue, j.task, j.priority, j.id
    from howdah.job j where j.id = any(v_free) order by j.queue, j.task, j.priority, j.id
  ) l;
  return array(select u from unnest(p_runs) u where u <> all (v_free));
end
$$;
