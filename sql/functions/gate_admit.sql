-- Admits runs that wait for the gate: each gets a lease of the node named beside it, which is the claim as well. Answers those that
-- it admitted; for runs of p_own, the gate's own node, with all that claim() answers, for others without their payload: these nodes
-- are told, and fetch it (fetch_admitted). One that is not answered was not admitted: it has ended, is held, expired, paused or locked, is a
-- suspect beside another one on its node, of which each has one at a time, its node has lost its lease, or
-- has tried it in vain, or cannot be told, since the queue of notifications is nearly full.
-- One autocommitted statement under the gate's row for share, with its epoch: who took over since then waits for it or is seen here
-- (HW004). A plain comparison, and for key share, would admit too much. What rates have left after it goes to disk with it; where one of
-- them is closed (close_buckets) it stays so, and nothing is admitted: the gate has yet to hear of it, or its clock is ahead.
-- A run that keeps permits until its end (flag 32) has them from here on (64), and a line of its own with others that do. Each is no
-- newcomer any more (2048), wherever it goes from here: see refuse().
-- Locks: the gate's row for share; rows of bucket, by name and key; rows of nodes for key share, by id, or for no key update where there
-- are suspects; job rows with skip locked.
-- Waits for the disk, unlike claims: what a crash of Postgres forgot would run on beside those that are admitted instead.
create or replace function howdah.gate_admit(
  p_epoch bigint, p_own bigint, p_runs bigint[], p_nodes bigint[],
  p_names text[], p_keys text[], p_levels double precision[], p_times double precision[]
) returns table (node bigint, id bigint, queue int, task int, priority smallint, attempt smallint, lease bigint, args json,
                 tags text[], metadata jsonb, options jsonb, aside boolean, trace text, asked double precision)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_lease bigint;
  v_node bigint;
  v_runs bigint[];
  v_own bigint[];
  v_queues int[];
  v_tasks int[];
  v_priorities smallint[];
  v_attempts smallint[];
  v_lowest bigint := (select min(r) from unnest(p_runs) r);
  v_highest bigint := (select max(r) from unnest(p_runs) r);
  v_pauses boolean := exists (select from howdah.paused);
  v_suspects boolean := exists (select from howdah.job j where j.crashes >= 2);
  v_suspect bigint;
  v_closed boolean;
begin
  perform 1 from howdah.gate g where g.epoch = p_epoch for share;
  if not found then
    raise exception 'the gate is held by another node since epoch %', p_epoch using errcode = 'HW004', hint = 'The node waits for its turn.';
  end if;
  if p_names is not null then
    with kept as (
      insert into howdah.bucket as b (name, key, level, at)
      select u.name, u.key, u.level, to_timestamp(u.at) from unnest(p_names, p_keys, p_levels, p_times) u(name, key, level, at) order by u.name, u.key
      on conflict on constraint bucket_pkey
      do update set level = case when b.closed > howdah.clock() then least(b.level, excluded.level) else excluded.level end,
        at = greatest(b.at, excluded.at)
      returning b.closed
    )
    select coalesce(bool_or(k.closed > howdah.clock()), false) into v_closed from kept k;
    if v_closed then
      return;
    end if;
  end if;
  v_lease := nextval('howdah.lease_number');
  for v_node in
    select n.id from howdah.node n
    where n.id = any(p_nodes) and n.world in ('', howdah.world()) and (n.id = p_own or pg_notification_queue_usage() < 0.9)
    order by n.id for key share
  loop
    v_runs := array(select a.run from unnest(p_runs, p_nodes) a(run, node) where a.node = v_node order by a.run);
    if v_suspects then
      -- Against claims of the same node, which may take one aside.
      perform 1 from howdah.node n where n.id = v_node for no key update;
      select min(w.id) into v_suspect from unnest(p_runs, p_nodes) a(run, node) cross join lateral (
        select j.id from howdah.job j where j.id = a.run and j.crashes >= 2 and j.lease is null offset 0
      ) w
      where a.node = v_node and not exists (select from howdah.job o where o.crashes >= 2 and o.node = v_node);
    end if;
    with held as (
      update howdah.job j set attempt = least(j.attempt::int + 1, 32767), node = v_node, lease = v_lease,
        flags = j.flags | case when j.flags & 32 <> 0 then 2112 else 2048 end,
        line = case when j.flags & 96 = 32 then hashint8extended(j.line, 64) else j.line end
      where j.ctid = any(array(
        select w.ctid from howdah.job w
        where w.id = any(v_runs) and w.lease is null and w.line is not null and (w.crashes < 2 or w.id = v_suspect)
          and (w.flags & 1024 = 0 or exists (
            select from howdah.node n cross join unnest(n.tasks, n.hashes) d(task, hash)
            where n.id = v_node and d.task = w.task and d.hash <> all (array(
              select coalesce(v.data ->> 'hash', '') from howdah.event v where v.task = w.task and v.run = w.id and v.kind = 7))
          ))
          and (w.expires is null or w.attempt > 0 or w.expires > howdah.clock())
          and not (v_pauses and exists (select from howdah.paused h where h.queue = w.queue or h.task = w.task))
        for update skip locked
      ))
      returning j.id, j.queue, j.task, j.priority, j.attempt
    ), counted as (
      insert into howdah.tally (queue, task, n, ready, running, later)
      select h.queue, h.task, 0, -count(*), count(*), 0 from held h group by h.queue, h.task
    )
    select array_agg(h.id), array_agg(h.queue), array_agg(h.task), array_agg(h.priority), array_agg(h.attempt)
    into v_own, v_queues, v_tasks, v_priorities, v_attempts from held h;
    continue when v_own is null;
    if v_node = p_own then
      return query
      select v_node, h.id, h.queue, h.task, h.priority, h.attempt, v_lease, r.args, r.tags, r.metadata, r.options, false, r.trace,
        case when r.trace is not null then date_part('epoch', r.at) end
      -- Fenced off: one walk of the index, whatever is known of the table's size.
      from (
        select r.id, r.args, r.tags, r.metadata, r.options, r.trace, r.at from howdah.run r where r.id = any(v_own) and r.id between v_lowest and v_highest offset 0
      ) r
      join unnest(v_own, v_queues, v_tasks, v_priorities, v_attempts) h(id, queue, task, priority, attempt) on h.id = r.id
      order by h.priority, h.id;
    else
      perform howdah.tell('howdah_at_' || n.name, 'admitted ' || g.told)
      from howdah.node n
      cross join (select string_agg(u.id || ' ' || v_lease, ',') as told from unnest(v_own) with ordinality u(id, n) group by u.n / 200) g
      where n.id = v_node;
      return query
      select v_node, h.id, h.queue, h.task, h.priority, h.attempt, v_lease, null::json, null::text[], null::jsonb, null::jsonb, false, null::text,
        null::double precision
      from unnest(v_own, v_queues, v_tasks, v_priorities, v_attempts) h(id, queue, task, priority, attempt);
    end if;
  end loop;
end
$$;
