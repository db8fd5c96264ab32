-- The part of claim() for runs that no ordinary claim sees. A suspect (held in two crashes) goes to a node that holds
-- none, one at a time: that it is held is the start mark, so this claim commits synchronously. Misfits go to a node whose
-- definition has not tried them, a suspect among them only where the node holds none. No line given is paused: claim() has seen to that. The first is the suspect, if there is one.
-- Misfits under limits are not claimed here: they wait for the gate again, which gives them to no node that has tried them: in a line
-- of those that the same definitions have refused, since they may go elsewhere than others.
-- Locks: the node's row for key share, then job rows, then misfit rows, both with skip locked.
create or replace function howdah.claim_aside(p_node bigint, p_room int, p_queues int[], p_tasks int[])
  returns table (id bigint, queue int, task int, priority smallint, attempt smallint, lease bigint, args json,
                 tags text[], metadata jsonb, options jsonb, aside boolean, trace text, asked double precision)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_lease bigint;
  v_suspect int := 0;
  v_room int;
  v_gated bigint[];
begin
  -- Whoever claims for this node holds its row against a second claim of the same node: one suspect at a time.
  perform 1 from howdah.node n where n.id = p_node and n.world in ('', howdah.world()) for no key update;
  if not found then
    raise exception 'node % has lost its lease', p_node using errcode = 'HW002', hint = 'The node takes a new identity.';
  end if;
  v_lease := nextval('howdah.lease_number');
  return query
  with held as (
    update howdah.job j set attempt = least(j.attempt::int + 1, 32767), node = p_node, lease = v_lease
    where j.ctid = any(array(
      select picked.ctid from unnest(p_queues, p_tasks) s(queue, task)
      cross join lateral (
        select w.ctid from howdah.job w
        where w.queue = s.queue and w.task = s.task and w.crashes >= 2 and w.lease is null and w.line is null
        order by w.priority, w.id limit 1 for update skip locked
      ) picked
      where not exists (select from howdah.job o where o.crashes >= 2 and o.node = p_node)
      limit 1
    ))
    returning j.id, j.queue, j.task, j.priority, j.attempt
  ), counted as (
    insert into howdah.tally (queue, task, n, ready, running, later) select h.queue, h.task, 0, -1, 1, 0 from held h
  )
  select h.id, h.queue, h.task, h.priority, h.attempt, v_lease, r.args, r.tags, r.metadata, r.options, true, r.trace,
    case when r.trace is not null then date_part('epoch', r.at) end
  from held h cross join lateral (select r.args, r.tags, r.metadata, r.options, r.trace, r.at from howdah.run r where r.id = h.id offset 0) r;
  get diagnostics v_suspect = row_count;
  with fits as materialized (
    select m.id from howdah.node n
    cross join unnest(n.tasks, n.hashes) d(task, hash)
    cross join unnest(p_queues, p_tasks) s(queue, task)
    cross join lateral howdah.refusals(s.queue, s.task) g(hashes)
    cross join lateral (
      select f.id from howdah.misfit f
      where f.queue = s.queue and f.task = s.task and f.hashes = g.hashes and f.line is not null
      order by f.priority, f.id limit p_room for update skip locked
    ) m
    where n.id = p_node and d.task = s.task and d.hash <> all (g.hashes)
  ), gone as (
    delete from howdah.misfit m where m.id = any(array(select f.id from fits f))
    returning m.id, m.expires, m.queue, m.task, m.priority, m.attempt, m.flags, m.crashes, m.line, m.hashes
  ), back as (
    insert into howdah.job (id, expires, queue, task, priority, attempt, flags, crashes, line)
    select g.id, g.expires, g.queue, g.task, g.priority, g.attempt, (g.flags | 1024)::smallint, g.crashes,
           hashtextextended(array_to_string(g.hashes, ' '), g.line)
    from gone g returning id
  )
  select array_agg(b.id) into v_gated from back b;
  perform howdah.knock(v_gated);
  for v_ordinary in 0 .. 1 loop
    v_room := case when v_ordinary = 1 then p_room - v_suspect
                   when v_suspect = 0 and not exists (select from howdah.job o where o.crashes >= 2 and o.node = p_node) then 1 else 0 end;
    continue when v_room = 0;
    return query
    with fits as materialized (
      select m.id from howdah.node n
      cross join unnest(n.tasks, n.hashes) d(task, hash)
      cross join unnest(p_queues, p_tasks) s(queue, task)
      cross join lateral howdah.refusals(s.queue, s.task) g(hashes)
      cross join lateral (
        select f.id from howdah.misfit f
        where f.queue = s.queue and f.task = s.task and f.hashes = g.hashes and (f.crashes < 2) = (v_ordinary = 1) and f.line is null
        order by f.priority, f.id limit v_room for update skip locked
      ) m
      where n.id = p_node and d.task = s.task and d.hash <> all (g.hashes)
      limit v_room
    ), gone as (
      delete from howdah.misfit m where m.id = any(array(select f.id from fits f))
      returning m.id, m.expires, m.queue, m.task, m.priority, m.attempt, m.flags, m.crashes
    ), held as (
      insert into howdah.job (id, lease, node, expires, queue, task, priority, attempt, flags, crashes)
      select g.id, v_lease, p_node, g.expires, g.queue, g.task, g.priority, least(g.attempt::int + 1, 32767), g.flags, g.crashes from gone g
      returning id, queue, task, priority, attempt
    ), counted as (
      insert into howdah.tally (queue, task, n, ready, running, later)
      select h.queue, h.task, 0, -count(*), count(*), 0 from held h group by h.queue, h.task
    )
    select h.id, h.queue, h.task, h.priority, h.attempt, v_lease, r.args, r.tags, r.metadata, r.options, true, r.trace,
      case when r.trace is not null then date_part('epoch', r.at) end
    from held h cross join lateral (select r.args, r.tags, r.metadata, r.options, r.trace, r.at from howdah.run r where r.id = h.id offset 0) r;
    if v_ordinary = 0 then
      get diagnostics v_suspect = row_count;
    end if;
  end loop;
end
$$;
