-- Raises runs that have waited for long: one that has waited for k times p_step_s counts as if its priority were k higher. Only where
-- that makes a difference, and as far as it does: to the best priority that its age reaches and at which others wait, whatever their
-- queue, since a node that serves several takes the best of all. At that priority it goes before all that were asked for later. So a
-- run is written once for each priority that it overtakes, and not once for each step. It waits since it was asked for, due, or back.
-- At most p_limit, the oldest of each line (queue, task) first, each line with its share. Lines are found by index, at most ten
-- thousand in queues behind p_after: where there are more, reached is where to go on; null: that was all. more: at once, if wanted.
-- Suspects and misfits, which ordinary claims do not see, stay as they are. The gate is told of runs with limits that were raised.
-- Safe on any node, at any time, twice. Locks: job rows with skip locked: whoever holds one claims or ends it.
create or replace function howdah.age(p_step_s double precision, p_limit int, p_after int)
  returns table (aged int, more boolean, reached int)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_lines_max int := 10000;
  v_walk_max int := 10000;
  v_queues int[];
  v_tasks int[];
  v_free boolean[];
  v_priorities smallint[];
  v_waiting smallint[];
  v_share int;
  v_runs bigint[];
  v_of int[];
  v_now_at smallint[];
  v_lowest bigint;
  v_highest bigint;
  v_told bigint;
  v_gated bigint[];
begin
  if p_step_s > 0 is not true then
    raise exception 'runs age in steps of more than no time, not of % s', p_step_s using errcode = '22023';
  end if;
  aged := 0;
  more := false;
  with recursive level as (
    (select j.queue, j.task, j.line is null as free, j.priority, 1 as n from howdah.job j
     where j.crashes < 2 and j.queue > p_after order by j.queue, j.task, (j.line is null), j.priority limit 1)
    union all
    select next.queue, next.task, next.free, next.priority, l.n + 1
    from level l
    cross join lateral (
      select j.queue, j.task, j.line is null as free, j.priority from howdah.job j
      where j.crashes < 2 and (j.queue, j.task, (j.line is null), j.priority) > (l.queue, l.task, l.free, l.priority)
      order by j.queue, j.task, (j.line is null), j.priority limit 1
    ) next
    where l.n < v_lines_max
  )
  select array_agg(l.queue), array_agg(l.task), array_agg(l.free), array_agg(l.priority),
         case when count(*) = v_lines_max then greatest(max(l.queue) - 1, min(l.queue)) end
  into v_queues, v_tasks, v_free, v_priorities, reached
  from level l;
  -- What is held stands at the head of its line, and does not wait: it is walked over.
  v_waiting := array(
    select distinct l.priority from unnest(v_queues, v_tasks, v_free, v_priorities) l(queue, task, free, priority)
    where exists (
      select from (
        select j.lease from howdah.job j
        where j.crashes < 2 and j.queue = l.queue and j.task = l.task and (j.line is null) = l.free and j.priority = l.priority
        order by j.id limit v_walk_max
      ) x where x.lease is null
    )
  );
  select p_limit / nullif(count(*), 0) into v_share from unnest(v_priorities) l(priority) where l.priority > any(v_waiting);
  if v_share is null then
    return next;
    return;
  end if;
  v_share := greatest(1, v_share);
  select array_agg(x.id), array_agg(l.task), array_agg(l.priority), min(x.id), max(x.id) into v_runs, v_of, v_now_at, v_lowest, v_highest
  from unnest(v_queues, v_tasks, v_free, v_priorities) l(queue, task, free, priority)
  cross join lateral (
    select w.id from (
      select j.id, j.lease from howdah.job j
      where j.crashes < 2 and j.queue = l.queue and j.task = l.task and (j.line is null) = l.free and j.priority = l.priority
      order by j.id limit v_walk_max
    ) w where w.lease is null limit v_share
  ) x
  where l.priority > any(v_waiting);
  if v_runs is null then  -- They were claimed meanwhile.
    return next;
    return;
  end if;
  with due as materialized (
    select c.run, t.priority
    from (
      select v_runs[s.n] as run, v_now_at[s.n] as priority, s.n, s.since
      from howdah.ready_since(v_runs, v_of, array_fill(0::bigint, array[cardinality(v_runs)])) s offset 0
    ) c
    cross join lateral (
      select r.priority from howdah.run r where r.id = c.run and r.id between v_lowest and v_highest offset 0
    ) r
    cross join lateral (
      select min(w.priority) as priority from unnest(v_waiting) w(priority)
      where w.priority < c.priority and w.priority >= r.priority - floor((date_part('epoch', howdah.clock()) - c.since) / p_step_s)
    ) t
    where t.priority is not null
    order by c.n limit p_limit
  ), free as materialized (
    select f.place, d.priority
    from due d
    cross join lateral (
      select j.ctid as place from howdah.job j
      where j.id = d.run and j.lease is null and j.crashes < 2 and j.priority > d.priority for update skip locked
    ) f
  ), raised as (
    update howdah.job j set priority = f.priority, lifted = coalesce(j.lifted, 0) + j.priority - f.priority
    from free f where j.ctid = f.place
    returning j.id, j.queue, j.task, j.priority, j.line
  ), told as (
    select distinct on (r.queue, r.task) r.queue, r.task, r.priority, r.id from raised r where r.line is null order by r.queue, r.task, r.priority, r.id
  )
  select (select count(*) from raised), (select array_agg(r.id order by r.id) from raised r where r.line is not null),
         count(howdah.wake(t.queue, t.task, t.priority, t.id))
  into aged, v_gated, v_told from told t;
  perform howdah.knock(v_gated);
  more := aged >= v_share;
  return next;
end
$$;
