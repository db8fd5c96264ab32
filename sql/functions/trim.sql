-- Deletes a batch of ended runs of a queue with a shorter retention than the days have, with their events and whatever else
-- is kept under their ids; never a living run, which goes with its day. The batch is the next p_limit runs of the oldest such day
-- by key, of whatever queue; how far it got is kept for the next call. Safe on any node, at any time, twice: one works, the others pass.
-- p_keep_days: of queues that say nothing. Answers how many runs were looked at (0: there is nothing to do) and deleted.
-- Locks: advisory, then the runs with skip locked (retry() holds those that it opens again), looked at for life only then.
create or replace function howdah.trim(p_keep_days int, p_limit int) returns table (examined int, deleted int)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_queue int;
  v_day int;
  v_after bigint;
  v_last bigint;
  v_runs bigint[];
  v_low bigint;
  v_high bigint;
begin
  examined := 0;
  deleted := 0;
  if pg_try_advisory_xact_lock(7738135626413) then
    select t.queue, t.day, t.after into v_queue, v_day, v_after from howdah.trimmable(p_keep_days) t limit 1;
    v_high := (v_day::bigint + 1) << 40;
  end if;
  if v_day is not null then
    select count(*), max(x.id) into examined, v_last
    from (select r.id from howdah.run r where r.id > v_after and r.id < v_high order by r.id limit p_limit) x;
    v_last := case when examined < p_limit then v_high - 1 else v_last end;
    v_runs := array(
      select r.id from howdah.run r where r.id > v_after and r.id <= v_last and r.queue = v_queue order by r.id for update skip locked);
    v_runs := array(select u from unnest(v_runs) u where not howdah.is_pending(u));
    deleted := cardinality(v_runs);
    select min(u), max(u) into v_low, v_high from unnest(v_runs) u;
    delete from howdah.event e using unnest(v_runs) u(id), howdah.run r
    where r.id = u.id and r.id between v_low and v_high and e.task = r.task and e.run = u.id and e.run between v_low and v_high;
    delete from howdah.run r using unnest(v_runs) u(id) where r.id = u.id and r.id between v_low and v_high;
    delete from howdah.progress p where p.run = any(v_runs);
    delete from howdah.held_key h where h.owner = any(v_runs) and h.until is null;
    insert into howdah.trim (queue, day, after) values (v_queue, v_day, v_last)
    on conflict (queue, day) do update set after = excluded.after;
    examined := greatest(examined, 1);
  end if;
  return next;
end
$$;
