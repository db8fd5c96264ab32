-- Enqueues one run of a task for each element of p_args, all with the same options, and returns their ids in order, and
-- whether this call made each: where a unique key or a child's is held, it is the run that holds it.
-- Options (all optional): delay, expires, timeout, unique_for in seconds; at (timestamptz); priority; queue; retry; tags;
-- metadata; unique_key (text); unique_args (true); child (a key within its parent); parent (a run); on_parent_cancel;
-- requires, prefers, prefer_for (seconds), sticky: where it may go, as checked_placement() takes them;
-- trace: as howdah.run has it; default the parent's; debounce (what it says of wait, max and its key goes before what the task
-- says; null: not even where the task does): the run that waits under its key is put off, see put_off();
-- node: which holds the parent, needed from a role that may only enqueue, lest it take the keys of children that are not its own.
-- p_notify: wake nodes at the commit of the caller's transaction; otherwise the caller calls hint() after it, null: for many callers.
-- p_keys: what the producer has worked out for the limits of each run, as demands() takes it.
-- Right under READ COMMITTED, and right or 40001 under stricter levels. Locks: entries of held_key where there are keys, and those
-- of put_off() where it is debounced; else none that another run waits for.
create or replace function howdah.submit(p_task text, p_args text[], p_options jsonb, p_notify boolean, p_keys text[] default null)
  returns table (ids bigint[], queue int, task int, priority smallint, due_s double precision, created boolean[])
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
  v_metadata jsonb;
  v_kept jsonb;
  v_parent bigint;
  v_root bigint;
  v_trace text;
  v_nests boolean;  -- Somebody above may keep permits.
  v_flags smallint;
  v_unknown text;
  v_base bigint := howdah.day_base();
  v_ids bigint[] := array(select v_base + nextval('howdah.run_number') from generate_subscripts(p_args, 1));
  v_fresh bigint[] := v_ids;
  v_args text[] := p_args;
  v_limits jsonb;
  v_debounce jsonb;
  v_said jsonb;  -- Of its placement, by the task.
  v_placement jsonb;
  v_keys text[] := p_keys;
  v_demands jsonb[];
  v_lines bigint[];
  v_created boolean[];
  v_later int := 0;  -- How many wait for their time: none, or all.
begin
  select t.id, t.queue, t.priority, t.flags, t.limits, t.placement into v_task, v_queue, v_priority, v_flags, v_limits, v_said from howdah.task t where t.name = p_task;
  if not found then
    v_task := howdah.introduce(p_task);
    select t.queue, t.priority, t.flags, t.limits, t.placement into v_queue, v_priority, v_flags, v_limits, v_said from howdah.task t where t.id = v_task;
    if not found then
      raise exception 'the task % was added by a transaction that this one cannot see', p_task
        using errcode = '40001', hint = 'Run the transaction again.';
    end if;
  end if;
  if (v_flags & 256 <> 0 or p_options ? 'debounce') and p_options -> 'debounce' is distinct from 'null'::jsonb then
    v_debounce := howdah.debounce_of(v_task, p_task, p_options, p_notify);
    p_options := coalesce(p_options, '{}') || jsonb_build_object('delay', v_debounce -> 'wait');
  end if;
  if p_options is not null then
    select k into v_unknown from jsonb_object_keys(p_options) k
    where k <> all ('{delay,at,priority,queue,expires,timeout,retry,tags,metadata,unique_key,unique_args,unique_for,child,parent,node,on_parent_cancel,trace,debounce,requires,prefers,prefer_for,sticky}'::text[])
    limit 1;
    if found then
      raise exception 'howdah.enqueue does not know the option "%"', v_unknown
        using errcode = '22023', hint = 'Options are delay, at, priority, queue, expires, timeout, retry, tags, metadata, unique_key, unique_args,'
          ' unique_for, child, parent, on_parent_cancel, trace, debounce, requires, prefers, prefer_for and sticky.';
    end if;
    if p_options ? 'queue' then
      v_queue := howdah.queue_id(p_options ->> 'queue');
    end if;
    if abs((p_options ->> 'priority')::numeric) > 32767 then
      raise exception 'priority is % and not from -32767 to 32767', p_options ->> 'priority' using errcode = '22023';
    end if;
    if v_limits is null or not jsonb_path_exists(v_limits, '$[*].sequence') then  -- Runs of a sequence go in their order.
      v_priority := coalesce(-(p_options ->> 'priority')::smallint, v_priority);
    end if;
    v_due := (p_options ->> 'at')::timestamptz;
    if p_options ? 'delay' then
      v_due := coalesce(v_due, howdah.clock()) + make_interval(secs => (p_options ->> 'delay')::double precision);
    end if;
    if p_options ? 'expires' then
      v_expires := greatest(v_due, howdah.clock()) + make_interval(secs => (p_options ->> 'expires')::double precision);
    end if;
    if greatest(v_due, v_expires) >= '9999-01-01 00:00:00+00' then
      raise exception 'a run of % would be due or expire beyond the year 9998: it would wait for ever', p_task using errcode = '22023';
    end if;
    if p_options ? 'tags' then
      v_tags := array(select jsonb_array_elements_text(p_options -> 'tags'));
    end if;
    v_metadata := p_options -> 'metadata';
    v_trace := left(p_options ->> 'trace', 600);  -- A tracestate has at most 512 characters.
    if p_options ? 'parent' then
      v_parent := (p_options ->> 'parent')::bigint;
      select coalesce(r.root, r.id), nullif(coalesce(r.metadata, '{}') || coalesce(v_metadata, '{}'), '{}'), coalesce(v_trace, r.trace),
             r.parent is not null or howdah.demand_flags(r.demands) & 32 <> 0
      into v_root, v_metadata, v_trace, v_nests
      from howdah.run r where r.id = v_parent;
      if not found then
        raise exception 'there is no run % to be the parent of a run of %', v_parent, p_task
          using errcode = '22023', hint = 'A parent is the id of a run whose history has not been dropped.';
      end if;
      -- The caller: `current_user` is the owner here.
      if not has_any_column_privilege(coalesce(nullif(current_setting('role'), 'none'), session_user), 'howdah.event', 'insert')
        and not exists (select from howdah.job j where j.id = v_parent and j.node = (p_options ->> 'node')::bigint) then
        raise exception 'this role may only enqueue, and run % is not its own: it cannot be a parent', v_parent
          using errcode = '42501', hint = 'Enqueue inside of the run, or as a role that howdah.permit() made a node.';
      end if;
    end if;
    if p_options ?| '{unique_key,unique_args,child}' then
      select s.ids, s.flags into v_ids, v_flags from howdah.submit_once(v_task, v_ids, p_args, p_options, v_parent, v_flags) s;
      select array_agg(f.id order by f.n) filter (where f.id = f.held), array_agg(f.args order by f.n) filter (where f.id = f.held),
             array_agg(f.keys order by f.n) filter (where f.id = f.held), array_agg(f.id = f.held order by f.n)
      into v_fresh, v_args, v_keys, v_created
      from unnest(v_fresh, v_ids, p_args, p_keys) with ordinality f(id, held, args, keys, n);
    end if;
    v_kept := nullif(
      p_options - '{delay,at,priority,queue,expires,tags,metadata,unique_key,unique_args,unique_for,child,parent,node,trace,debounce,requires,prefers,prefer_for,sticky}'::text[], '{}');
    if v_due > howdah.clock() then
      v_kept := coalesce(v_kept, '{}') || jsonb_build_object('due', v_due);  -- Its timer is gone by the time that anybody asks how long it waited.
      if not starts_with(v_trace, 'apart ') then
        v_trace := 'apart ' || v_trace;
      end if;
    end if;
  end if;
  if v_said is not null or p_options ?| '{requires,prefers,prefer_for,sticky}' then
    v_placement := howdah.placement_of(p_task, v_said, p_options, v_parent);
  end if;
  if v_debounce is not null then
    select o.ids, o.created, o.fresh, o.args, o.keys into v_ids, v_created, v_fresh, v_args, v_keys
    from howdah.put_off(v_task, p_task, v_limits, v_debounce, v_fresh, p_args, p_keys, v_due, v_expires,
                        v_tags, v_metadata, v_kept, v_parent, v_root, v_trace, v_placement) o;
    v_flags := v_flags | 776;
  end if;
  if (v_limits is not null or v_placement is not null) and v_fresh <> '{}' then
    v_demands := case when v_limits is null then array_fill('[]'::jsonb, array[cardinality(v_fresh)])
                      else howdah.demands(p_task, v_limits, v_args, v_keys) end;
    v_lines := array(select howdah.line_of(v_queue, v_task, d.demands, v_placement) from unnest(v_demands) with ordinality d(demands, n) order by d.n);
    v_flags := v_flags | howdah.demand_flags(v_demands[1]);  -- The same for all: they are the task's.
    if v_nests and v_debounce is null and jsonb_path_exists(v_limits, '$[*].kind ? (@ == "limit")') then
      perform howdah.check_nesting(p_task, v_demands, v_parent);  -- Of those that are debounced put_off() has asked.
    end if;
  end if;
  if v_fresh <> '{}' then
    -- Statement by statement: each opens only the tables that it fills, and that is most of what a lone run costs.
    insert into howdah.run (id, task, queue, priority, args, tags, metadata, options, parent, root, trace, demands, placement)
    select f.id, v_task, v_queue, v_priority, f.args::json, v_tags, v_metadata, v_kept, v_parent, v_root, v_trace, f.demands, v_placement
    from unnest(v_fresh, v_args, v_demands) f(id, args, demands);
    if v_due > howdah.clock() then
      insert into howdah.timer (id, due, expires, queue, task, priority, attempt, flags, retrying, line)
      select f.id, v_due, v_expires, v_queue, v_task, v_priority, 0, v_flags, false, f.line from unnest(v_fresh, v_lines) f(id, line);
      v_later := cardinality(v_fresh);
    else
      insert into howdah.job (id, queue, task, priority, expires, flags, line)
      select f.id, v_queue, v_task, v_priority, v_expires, v_flags, f.line from unnest(v_fresh, v_lines) f(id, line);
    end if;
    insert into howdah.tally (queue, task, kind, n, ready, running, later)
    values (v_queue, v_task, 0, cardinality(v_fresh), cardinality(v_fresh) - v_later, 0, v_later);
  end if;
  ids := v_ids;
  created := v_created;
  queue := v_queue;
  task := v_task;
  priority := v_priority;
  if v_later > 0 then
    due_s := greatest(0, extract(epoch from v_due - howdah.clock()));
  end if;
  if v_fresh <> '{}' and v_expires < howdah.clock() + interval '30 seconds' then
    -- Keepers sleep up to that long, and nothing else tells them. Rare enough to travel with the commit.
    perform howdah.tell('howdah_timer', greatest(0, extract(epoch from v_expires - howdah.clock()))::text);
  end if;
  if v_limits is null and v_said is null and v_placement is not null and v_fresh <> '{}' then
    -- Of this task no node expects that its runs go by the gate.
    perform howdah.tell('howdah_space', 'task ' || v_task);
  end if;
  if p_notify and v_fresh <> '{}' then
    if due_s is null and v_lines is not null then
      perform howdah.tell('howdah_gate', 'new ' || v_fresh[1] || ' ' || v_fresh[cardinality(v_fresh)]);
    elsif due_s is null then
      perform howdah.wake(v_queue, v_task, v_priority, v_fresh[1]);
    elsif due_s < 30 then
      perform howdah.tell('howdah_timer', due_s::text);
    end if;
  end if;
  return next;
end
$$;
