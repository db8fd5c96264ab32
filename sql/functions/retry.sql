-- Opens ended runs again: all but those that succeeded become ready, with all their attempts
-- before them and their history behind. Returns for each whether it was reopened, is pending, has succeeded, or is unknown.
-- Only under READ COMMITTED. The new hot row is the lock: insert, then look in a statement of its own whether the run had ended after all; of two that
-- retry one run, one reopens it. Locks: the runs for key share (trim() deletes none that is being opened), entries of job's key,
-- each in id order.
create or replace function howdah.retry(p_runs bigint[]) returns table (run bigint, answer text)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_asked bigint[] := array(select distinct u from unnest(p_runs) u order by u);
  v_fresh bigint[];
  v_good bigint[];
  v_told bigint;
  v_gated bigint[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'howdah.retry looks again after it has written, so it needs read committed' using errcode = '25001';
  end if;
  with fresh as (
    insert into howdah.job (id, queue, task, priority, flags, line)
    select r.id, r.queue, r.task, r.priority, t.flags | howdah.demand_flags(r.demands), howdah.line_of(r.queue, r.task, r.demands, r.placement)
    from howdah.run r join howdah.task t on t.id = r.task
    where r.id = any(v_asked) and r.id between v_asked[1] and v_asked[cardinality(v_asked)] and not howdah.is_pending(r.id)
    order by r.id for key share of r on conflict (id) do nothing returning id
  )
  select array_agg(f.id) into v_fresh from fresh f;
  select array_agg(o.run) into v_good
  from howdah.outcomes(v_fresh) o
  where o.kind in (2, 3, 17, 18, 21, 22, 24, 25)
    and not exists (select from howdah.timer t where t.id = o.run) and not exists (select from howdah.misfit m where m.id = o.run);
  delete from howdah.job j where j.id = any(v_fresh) and j.id <> all (coalesce(v_good, '{}'));
  -- Behind the end that it undoes, also where that was written while this statement was under way.
  insert into howdah.event (run, task, kind, at)
  select r.id, r.task, 23, greatest(howdah.clock(), (select max(v.at) from howdah.event v where v.task = r.task and v.run = r.id) + interval '1 microsecond')
  from unnest(v_good) g join howdah.run r on r.id = g order by r.id;
  -- Its task may have other limits than when it was enqueued.
  perform howdah.limit_runs(v_good);
  with opened as materialized (
    select j.id, j.queue, j.task, j.priority, j.line from howdah.job j where j.id = any(v_good)
  ), counted as (
    insert into howdah.tally (queue, task, kind, n, ready, running, later)
    select o.queue, o.task, 23, count(*), count(*), 0, 0 from opened o group by o.queue, o.task
  ), told as (
    select distinct on (o.queue, o.task) o.queue, o.task, o.priority, o.id from opened o where o.line is null order by o.queue, o.task, o.priority, o.id
  )
  select count(howdah.wake(t.queue, t.task, t.priority, t.id)), (select array_agg(o.id) from opened o where o.line is not null)
  into v_told, v_gated from told t;
  perform howdah.knock(v_gated);  -- Before the key is open again: the gate knows of it by then.
  perform howdah.unblock(v_good);
  return query
  select u, case
    when u = any(v_good) then 'reopened'
    when howdah.is_pending(u) then 'pending'
    when exists (select from howdah.outcomes(array[u])) then 'succeeded'
    else 'unknown'
  end
  from unnest(v_asked) u;
end
$$;
