-- A node states what a task is, and which facts start it. Runs that SQL enqueued before anybody had defined the task
-- take over its queue, its priority (unless they have one of their own) and how they are delivered, and so does what is kept of them,
-- which a retry goes by.
-- Those that wait come under limits that are new or changed: see limit_pending().
-- Locks: the catalogue row, then the unclaimed job and timer rows of such a task in id order; those of limit_pending(), then the gate's row.
create or replace function howdah.register(p_name text, p_queue text, p_priority smallint, p_defaults jsonb, p_input jsonb, p_output jsonb, p_hash text,
                                            p_limits jsonb default null)
  returns int
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_id int := howdah.introduce(p_name, p_queue, p_priority, howdah.checked_defaults(p_name, p_defaults), p_limits);
  v_queue int := howdah.queue_id(p_queue);
  v_flags smallint := howdah.task_flags(p_defaults);
  v_old howdah.task;
  v_no_key constant text[] := '{kind,terms}';  -- What a limit says that its demands do not.
begin
  select * into v_old from howdah.task t where t.id = v_id for update;
  if v_old.implemented and v_old.hash is not distinct from p_hash then
    return v_id;
  end if;
  update howdah.task t
  set queue = v_queue, priority = -p_priority, flags = v_flags, defaults = p_defaults, input = p_input, output = p_output, hash = p_hash, limits = p_limits,
      implemented = true, changed = howdah.clock()
  where t.id = v_id;
  perform howdah.note_limits(p_limits);
  delete from howdah.subscriber s where s.task = v_id;
  insert into howdah.subscriber (fact, task, parameter)
  select f, v_id, p_defaults #>> '{alerts,parameter}' from jsonb_array_elements_text(p_defaults #> '{alerts,facts}') f;
  if not v_old.implemented and (v_old.queue <> v_queue or v_old.priority <> -p_priority or v_old.flags <> v_flags) then
    with held as materialized (
      select j.id, j.queue as old from howdah.job j where j.task = v_id and j.lease is null order by j.id for update
    ), moved as (
      update howdah.job j
      set queue = case held.old when v_old.queue then v_queue else held.old end,
          priority = case j.priority when v_old.priority then -p_priority else j.priority end, flags = j.flags & ~20 | v_flags
      from held where j.id = held.id returning held.old, j.id, j.queue, j.priority
    ), told as (
      update howdah.run r set queue = m.queue, priority = m.priority from moved m where r.id = m.id
    )
    insert into howdah.tally (queue, task, n, ready, running, later)
    select q.queue, v_id, 0, q.sign * count(*), 0, 0 from (select from moved where old = v_old.queue) m cross join (values (v_old.queue, -1), (v_queue, 1)) q(queue, sign)
    group by q.queue, q.sign;
    with held as materialized (
      select r.id, r.queue as old from howdah.timer r where r.task = v_id order by r.id for update
    ), moved as (
      update howdah.timer r
      set queue = case held.old when v_old.queue then v_queue else held.old end,
          priority = case r.priority when v_old.priority then -p_priority else r.priority end, flags = r.flags & ~20 | v_flags
      from held where r.id = held.id returning held.old, r.id, r.queue, r.priority
    ), told as (
      update howdah.run r set queue = m.queue, priority = m.priority from moved m where r.id = m.id
    )
    insert into howdah.tally (queue, task, n, ready, running, later)
    select q.queue, v_id, 0, 0, 0, q.sign * count(*) from (select from moved where old = v_old.queue) m cross join (values (v_old.queue, -1), (v_queue, 1)) q(queue, sign)
    group by q.queue, q.sign;
  end if;
  if (p_defaults ? 'placement' and v_old.placement is null) or (
    p_limits is not null
    and array(select l.said - v_no_key from jsonb_array_elements(p_limits) with ordinality l(said, n) order by l.n)
        <> coalesce(array(select l.said - v_no_key from jsonb_array_elements(v_old.limits) with ordinality l(said, n) order by l.n), '{}')
  ) then
    if howdah.limit_pending(v_id) then
      -- The gate begins anew with the rows as they are: by what it remembers, runs would go on under what they demanded before.
      update howdah.gate g set epoch = g.epoch + 1;
    end if;
  elsif p_limits is null and v_old.limits is not null then
    perform howdah.knock(array(
      select j.id from howdah.job j where j.task = v_id and j.line is not null and j.lease is null
      union all select w.id from howdah.timer w where w.task = v_id and w.line is not null
      union all select m.id from howdah.misfit m where m.task = v_id and m.line is not null));
  end if;
  return v_id;
end
$$;
