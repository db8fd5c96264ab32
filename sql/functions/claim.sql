-- Gives up to p_room runs to a living node, from the lines given, after the watermark of each (priority, id).
-- Heads are taken per line: of several, only those whose head has the best priority are served, with equal shares, so
-- neither a million runs of one task nor a task nobody implements hides the others. Rows by priority, then id, behind
-- those that were taken aside (claim_aside; only where p_aside says that a slot is free for them). asked: when a run was asked
-- for, where it carries a trace: that is read and sent for nothing else.
-- Runs with limits are not among them: the gate admits those (gate_admit).
-- Lines of a paused queue or task give nothing, nor does claim_aside see them.
-- A short or empty answer never proves an empty queue: rows that somebody else has locked are skipped.
-- A node that entered another world gets nothing here: its lease numbers may be handed out again, for other runs (renew).
-- Locks: the node's row for key share (so that the reaper, which deletes it first, sees every claim), then the
-- job rows with skip locked. Commits without waiting for the disk, unless p_durable: a claim that a crash loses runs again.
create or replace function howdah.claim(
  p_node bigint, p_room int, p_queues int[], p_tasks int[], p_priorities smallint[], p_ids bigint[], p_aside boolean, p_durable boolean
) returns table (id bigint, queue int, task int, priority smallint, attempt smallint, lease bigint, args json,
                 tags text[], metadata jsonb, options jsonb, aside boolean, trace text, asked double precision)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_bound smallint := 32767;
  v_share int := p_room;
  v_room int := p_room;
  v_aside int := 0;
  v_lease bigint;
  v_held bigint[];
  v_queues int[];
  v_tasks int[];
  v_priorities smallint[];
  v_attempts smallint[];
  v_lowest bigint;
  v_highest bigint;
begin
  if exists (select from howdah.paused) then
    select array_agg(s.queue), array_agg(s.task), array_agg(s.priority), array_agg(s.id) into p_queues, p_tasks, p_priorities, p_ids
    from unnest(p_queues, p_tasks, p_priorities, p_ids) s(queue, task, priority, id)
    where not exists (select from howdah.paused h where h.queue = s.queue or h.task = s.task);
    if p_queues is null then
      return;
    end if;
  end if;
  if p_aside and (exists (select from howdah.misfit) or exists (select from howdah.job j where j.crashes >= 2)) then
    return query select * from howdah.claim_aside(p_node, p_room, p_queues, p_tasks);
    get diagnostics v_aside = row_count;
    v_room := p_room - v_aside;
    if v_room = 0 then
      return;
    end if;
    v_share := v_room;
  end if;
  if cardinality(p_queues) > 1 then
    with head as materialized (
      select h.priority
      from unnest(p_queues, p_tasks, p_priorities, p_ids) s(queue, task, priority, id)
      cross join lateral (
        select j.priority from howdah.job j
        where j.queue = s.queue and j.task = s.task and j.line is null and j.lease is null and (j.priority, j.id) > (s.priority, s.id) and j.crashes < 2
        order by j.priority, j.id limit 1
      ) h
    )
    select min(h.priority), greatest(1, v_room / nullif(count(*) filter (where h.priority = m.priority), 0))
    into v_bound, v_share
    from head h cross join (select min(n.priority) as priority from head n) m;
    if v_bound is null then
      return;
    end if;
  end if;
  perform 1 from howdah.node n where n.id = p_node and n.world in ('', howdah.world()) for key share;
  if not found then
    raise exception 'node % has lost its lease', p_node using errcode = 'HW002', hint = 'The node takes a new identity.';
  end if;
  if not p_durable and v_aside = 0 then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  v_lease := nextval('howdah.lease_number');
  with held as (
    update howdah.job j set attempt = least(j.attempt::int + 1, 32767), node = p_node, lease = v_lease
    where j.ctid = any(array(
      select picked.ctid from unnest(p_queues, p_tasks, p_priorities, p_ids) s(queue, task, priority, id)
      cross join lateral (
        select w.ctid from howdah.job w
        where w.queue = s.queue and w.task = s.task and w.line is null and (w.priority, w.id) > (s.priority, s.id) and w.priority <= v_bound
          and w.crashes < 2 and w.lease is null and (w.expires is null or w.attempt > 0 or w.expires > howdah.clock())
        order by w.priority, w.id limit v_share for update skip locked
      ) picked
      limit v_room
    ))
    returning j.id, j.queue, j.task, j.priority, j.attempt
  ), counted as (
    insert into howdah.tally (queue, task, n, ready, running, later)
    select h.queue, h.task, 0, -count(*), count(*), 0 from held h group by h.queue, h.task
  )
  select array_agg(h.id), array_agg(h.queue), array_agg(h.task), array_agg(h.priority), array_agg(h.attempt), min(h.id), max(h.id)
  into v_held, v_queues, v_tasks, v_priorities, v_attempts, v_lowest, v_highest
  from held h;
  if v_held is null then
    return;
  end if;
  -- A statement of its own: bounds that are known before it begins leave it the days that it needs, however many there are.
  return query
  select h.id, h.queue, h.task, h.priority, h.attempt, v_lease, r.args, r.tags, r.metadata, r.options, false, r.trace,
    case when r.trace is not null then date_part('epoch', r.at) end
  -- Fenced off: one walk of the index, whatever is known of the table's size.
  from (
    select r.id, r.args, r.tags, r.metadata, r.options, r.trace, r.at from howdah.run r where r.id = any(v_held) and r.id between v_lowest and v_highest offset 0
  ) r
  join unnest(v_held, v_queues, v_tasks, v_priorities, v_attempts) h(id, queue, task, priority, attempt) on h.id = r.id
  order by h.priority, h.id;
end
$$;
