-- Moves running runs whose payload did not fit the definition that tried it to misfit, with the hashes of all
-- definitions that did (kept in the events' data). No attempt is burned. Nodes with another definition are woken.
-- Locks: the job rows of these runs, held by the caller already.
create or replace function howdah.set_aside(p_runs bigint[]) returns void
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_told bigint;
begin
  with unfit as (
    delete from howdah.job j where j.id = any(p_runs)
    returning j.id, j.expires, j.queue, j.task, (j.priority + coalesce(j.lifted, 0))::smallint as priority, j.attempt - 1 as attempt, j.flags, j.crashes, j.line
  ), counted as (
    insert into howdah.tally (queue, task, kind, n, ready, running, later)
    select u.queue, u.task, 7, count(*), count(*), -count(*), 0 from unfit u group by u.queue, u.task
  ), kept as (
    insert into howdah.misfit (id, expires, queue, task, priority, attempt, flags, crashes, line, hashes)
    select u.id, u.expires, u.queue, u.task, u.priority, u.attempt, u.flags, u.crashes, u.line,
           array(select distinct coalesce(v.data ->> 'hash', '') from howdah.event v where v.task = u.task and v.run = u.id and v.kind = 7 order by 1)
    from unfit u
  )
  select count(howdah.wake(t.queue, t.task, t.priority, t.id)) into v_told
  from (select distinct on (u.queue, u.task) u.queue, u.task, u.priority, u.id from unfit u order by u.queue, u.task, u.priority, u.id) t;
end
$$;
