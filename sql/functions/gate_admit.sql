-- Admits runs that wait for the gate: each gets a lease of the node named beside it, which is the claim as well. Answers those that
-- it admitted; for runs of p_own, the gate's own node, with all that claim() answers, for others without their payload: these nodes
-- are told, and fetch it (fetch_admitted). One that is not answered was not admitted: it has ended, is held, expired, paused or locked, is a
-- suspect beside another one on its node, or its node has lost its lease.
-- One autocommitted statement under the gate's row for share, with its epoch: who took over since then waits for it or is seen here
-- (HW004). A plain comparison, and for key share, would admit too much. What rates have left after it goes to disk with it.
-- Locks: the gate's row for share; rows of nodes for key share, by id; job rows with skip locked; rows of buckets.
-- Commits without waiting for the disk, unless p_durable: admissions that a crash loses are made again.
create or replace function howdah.gate_admit(
  p_epoch bigint, p_own bigint, p_runs bigint[], p_nodes bigint[], p_durable boolean,
  p_names text[], p_keys text[], p_levels double precision[], p_times double precision[]
) returns table (node bigint, id bigint, queue int, task int, priority smallint, attempt smallint, lease bigint, args json,
                 tags text[], metadata jsonb, options jsonb, aside boolean, trace text, asked double precision, lane text)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_lease bigint;
  v_nodes bigint[];
  v_held bigint[];
  v_whose bigint[];
  v_queues int[];
  v_tasks int[];
  v_priorities smallint[];
  v_attempts smallint[];
  v_crashes smallint[];
  v_lowest bigint;
  v_highest bigint;
  v_pauses boolean := exists (select from howdah.paused);
begin
  perform 1 from howdah.gate g where g.epoch = p_epoch for share;
  if not found then
    raise exception 'the gate is held by another node since epoch %', p_epoch using errcode = 'HW004', hint = 'The node waits for its turn.';
  end if;
  if not p_durable then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  v_nodes := array(
    select n.id from howdah.node n where n.id = any(p_nodes) and n.world in ('', howdah.world()) order by n.id for key share);
  v_lease := nextval('howdah.lease_number');
  with asked as materialized (
    select a.run, a.node from unnest(p_runs, p_nodes) a(run, node) where a.node = any(v_nodes)
  ), free as materialized (
    select f.ctid as place, a.node
    from asked a cross join lateral (
      select j.ctid from howdah.job j
      where j.id = a.run and j.lease is null and j.line is not null and j.crashes < 2
        and (j.expires is null or j.attempt > 0 or j.expires > howdah.clock())
        and not (v_pauses and exists (select from howdah.paused h where h.queue = j.queue or h.task = j.task))
      for update skip locked
    ) f
  ), held as (
    update howdah.job j set attempt = least(j.attempt::int + 1, 32767), node = f.node, lease = v_lease
    from free f where j.ctid = f.place
    returning j.id, j.node, j.queue, j.task, j.priority, j.attempt
  ), counted as (
    insert into howdah.tally (queue, task, n, ready, running, later)
    select h.queue, h.task, 0, -count(*), count(*), 0 from held h group by h.queue, h.task
  )
  select array_agg(h.id), array_agg(h.node), array_agg(h.queue), array_agg(h.task), array_agg(h.priority), array_agg(h.attempt), min(h.id), max(h.id)
  into v_held, v_whose, v_queues, v_tasks, v_priorities, v_attempts, v_lowest, v_highest
  from held h;
  if p_names is not null then
    insert into howdah.bucket as b (name, key, level, at)
    select u.name, u.key, u.level, to_timestamp(u.at) from unnest(p_names, p_keys, p_levels, p_times) u(name, key, level, at) order by u.name, u.key
    on conflict (name, key) do update set level = excluded.level, at = excluded.at;
  end if;
  if v_held is null then
    return;
  end if;
  perform howdah.tell('howdah_at_' || n.name, 'admitted ' || g.told)
  from (
    select c.node, string_agg(c.id || ' ' || v_lease, ',') as told
    from (select u.node, u.id, (row_number() over (partition by u.node order by u.id)) / 200 as part
          from unnest(v_held, v_whose) u(id, node) where u.node <> p_own) c
    group by c.node, c.part
  ) g
  join howdah.node n on n.id = g.node;
  return query
  select h.node, h.id, h.queue, h.task, h.priority, h.attempt, v_lease, r.args, r.tags, r.metadata, r.options, false, r.trace, r.asked, r.lane
  from unnest(v_held, v_whose, v_queues, v_tasks, v_priorities, v_attempts) h(id, node, queue, task, priority, attempt)
  left join lateral (
    select r.args, r.tags, r.metadata, r.options, r.trace, case when r.trace is not null then date_part('epoch', r.at) end as asked,
           (r.demands #>> '{0,0}') || ':' || (r.demands #>> '{0,1}') as lane
    from howdah.run r where h.node = p_own and r.id = h.id and r.id between v_lowest and v_highest offset 0
  ) r on true
  order by h.priority, h.id;
end
$$;
