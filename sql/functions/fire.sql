-- Moves timers that are due to job, oldest first, and wakes nodes, or the gate. Returns how many.
-- Locks: timer rows with skip locked: whoever holds one moves it or puts it back, and it is looked at again.
create or replace function howdah.fire(p_limit int) returns int
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_count int;
  v_told bigint;
  v_gated bigint[];
begin
  with due as materialized (
    select t.id from howdah.timer t where t.due <= howdah.clock() order by t.due limit p_limit for update skip locked
  ), gone as (
    delete from howdah.timer t where t.id = any(array(select d.id from due d))
    returning t.id, t.expires, t.queue, t.task, t.priority, t.attempt, t.flags, t.crashes, t.line
  ), ready as (
    insert into howdah.job (id, expires, queue, task, priority, attempt, flags, crashes, line)
    select g.id, g.expires, g.queue, g.task, g.priority, g.attempt, g.flags, g.crashes, g.line from gone g
    on conflict (id) do nothing
  ), counted as (
    insert into howdah.tally (queue, task, n, ready, running, later)
    select g.queue, g.task, 0, count(*), 0, -count(*) from gone g group by g.queue, g.task
  ), told as (
    select distinct on (g.queue, g.task) g.queue, g.task, g.priority, g.id from gone g where g.line is null order by g.queue, g.task, g.priority, g.id
  )
  select (select count(*) from gone), count(howdah.wake(t.queue, t.task, t.priority, t.id)),
         (select array_agg(g.id) from gone g where g.line is not null)
  into v_count, v_told, v_gated from told t;
  perform howdah.knock(v_gated);
  return coalesce(v_count, 0);
end
$$;
