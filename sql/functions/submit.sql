-- Enqueues one run of a task for each element of p_args, all with the same options, and returns their ids in order.
-- Options (all optional): delay, expires, timeout in seconds; at (timestamptz); priority; queue; retry; tags; metadata.
-- p_notify: wake nodes at the commit of the caller's transaction; otherwise the caller calls hint() after it.
-- Right under every isolation level: it only inserts. Locks: none that another run waits for.
create or replace function howdah.submit(p_task text, p_args text[], p_options jsonb, p_notify boolean)
  returns table (ids bigint[], queue int, task int, priority smallint, due_s double precision)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_task int;
  v_queue int;
  v_priority smallint;
  v_due timestamptz;
  v_expires timestamptz;
  v_tags text[];
  v_kept jsonb;
  v_unknown text;
  v_base bigint := howdah.day_base();
  v_ids bigint[];
begin
  select t.id, t.queue, t.priority into v_task, v_queue, v_priority from howdah.task t where t.name = p_task;
  if not found then
    v_task := howdah.introduce(p_task);
    select t.queue, t.priority into v_queue, v_priority from howdah.task t where t.id = v_task;
    if not found then
      raise exception 'the task % was added by a transaction that this one cannot see', p_task
        using errcode = '40001', hint = 'Run the transaction again.';
    end if;
  end if;
  if p_options is not null then
    select k into v_unknown from jsonb_object_keys(p_options) k
    where k <> all ('{delay,at,priority,queue,expires,timeout,retry,tags,metadata}'::text[]) limit 1;
    if found then
      raise exception 'howdah.enqueue does not know the option "%"', v_unknown
        using errcode = '22023', hint = 'Options are delay, at, priority, queue, expires, timeout, retry, tags and metadata.';
    end if;
    if p_options ? 'queue' then
      v_queue := howdah.queue_id(p_options ->> 'queue');
    end if;
    v_priority := coalesce(-(p_options ->> 'priority')::smallint, v_priority);
    v_due := (p_options ->> 'at')::timestamptz;
    if p_options ? 'delay' then
      v_due := coalesce(v_due, howdah.clock()) + make_interval(secs => (p_options ->> 'delay')::double precision);
    end if;
    if p_options ? 'expires' then
      v_expires := greatest(v_due, howdah.clock()) + make_interval(secs => (p_options ->> 'expires')::double precision);
    end if;
    if p_options ? 'tags' then
      v_tags := array(select jsonb_array_elements_text(p_options -> 'tags'));
    end if;
    v_kept := nullif(p_options - '{delay,at,priority,queue,expires,tags,metadata}'::text[], '{}');
  end if;
  with fresh as materialized (
    select v_base + nextval('howdah.run_number') as id, a.args from unnest(p_args) a(args)
  ), asked as (
    insert into howdah.run (id, task, queue, priority, args, tags, metadata, options)
    select f.id, v_task, v_queue, v_priority, f.args::json, v_tags, p_options -> 'metadata', v_kept from fresh f
  ), ready as (
    insert into howdah.job (id, queue, task, priority, expires)
    select f.id, v_queue, v_task, v_priority, v_expires from fresh f where v_due is null or v_due <= howdah.clock()
  ), later as (
    insert into howdah.timer (id, due, expires, queue, task, priority, attempt, flags, retrying)
    select f.id, v_due, v_expires, v_queue, v_task, v_priority, 0, 0, false from fresh f where v_due > howdah.clock()
  )
  select array_agg(f.id) into v_ids from fresh f;
  ids := coalesce(v_ids, '{}');
  queue := v_queue;
  task := v_task;
  priority := v_priority;
  due_s := extract(epoch from v_due - howdah.clock());
  if due_s <= 0 then
    due_s := null;
  end if;
  if v_ids is not null and v_expires < howdah.clock() + interval '30 seconds' then
    -- Keepers sleep up to that long, and nothing else tells them. Rare enough to travel with the commit.
    perform pg_notify('howdah_timer', greatest(0, extract(epoch from v_expires - howdah.clock()))::text);
  end if;
  if p_notify and v_ids is not null then
    if due_s is null then
      perform howdah.wake(v_queue, v_task, v_priority, v_ids[1]);
    elsif due_s < 30 then
      perform pg_notify('howdah_timer', due_s::text);
    end if;
  end if;
  return next;
end
$$;
