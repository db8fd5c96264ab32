-- The newest runs that a filter lets through, and a cursor: the search goes on below it (as `before`); null: there are no more.
-- A filter may say (all optional): state, task, queue (one name or several each), tags (all of them), metadata (all of these
-- pairs), parent, root (the root itself, too), error (a fingerprint), since (a time, or seconds ago), before (an id).
-- Each filter is driven by the index that knows best. Work is bounded: a page that comes back short with a cursor has looked
-- at a few thousand candidates, and the rest is for the next call. Takes no locks.
create or replace function howdah.find_runs(p_filter jsonb, p_limit int) returns table (runs bigint[], cursor bigint)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_rounds_max int := 5;
  v_states text[];
  v_pending text[];
  v_kinds smallint[];
  v_queues int[];
  v_tasks int[];
  v_tags text[] := case when p_filter ? 'tags' then howdah.filter_names(p_filter -> 'tags') end;
  v_metadata jsonb := p_filter -> 'metadata';
  v_parent bigint := (p_filter ->> 'parent')::bigint;
  v_root bigint := (p_filter ->> 'root')::bigint;
  v_error text := p_filter ->> 'error';
  v_since timestamptz := howdah.filter_since(p_filter -> 'since');
  v_before bigint := coalesce((p_filter ->> 'before')::bigint, 1::bigint << 53);
  v_floor bigint;
  v_unknown text;
  v_some bigint[];
  v_reached bigint;
  v_left int;
begin
  select k into v_unknown from jsonb_object_keys(p_filter) k
  where k <> all ('{state,task,queue,tags,metadata,parent,root,error,since,before}'::text[]) limit 1;
  if found then
    raise exception 'a filter of runs does not know "%"', v_unknown
      using errcode = '22023', hint = 'Filters are state, task, queue, tags, metadata, parent, root, error, since and before.';
  end if;
  runs := '{}';
  v_states := case when p_filter ? 'state' then howdah.filter_names(p_filter -> 'state') when v_error is not null then '{failed,quarantined,lost}' end;
  v_queues := case when p_filter ? 'queue' then array(select q.id from howdah.queue q where q.name = any(howdah.filter_names(p_filter -> 'queue'))) end;
  v_tasks := case when p_filter ? 'task' then array(select t.id from howdah.task t where t.name = any(howdah.filter_names(p_filter -> 'task'))) end;
  if cardinality(v_queues) = 0 or cardinality(v_tasks) = 0 then
    return next;
    return;
  end if;
  select array_agg(k.id), array_agg(k.state) into v_kinds, v_pending from howdah.kind k
  where k.final and (v_states is null or k.state = any(v_states));
  v_pending := array(select s from unnest('{queued,gated,running,scheduled,retrying}'::text[]) s where v_states is null or s = any(v_states));
  v_floor := case when v_since is null then 0 else howdah.first_since(v_since) end;
  for i in 1 .. v_rounds_max loop
    v_left := p_limit - cardinality(runs);
    select c.runs, c.reached into v_some, v_reached
    from howdah.candidate_runs(v_pending, v_kinds, v_states is null, v_queues, v_tasks, v_tags, v_metadata, v_parent, v_root, v_error,
                               v_before, v_floor, greatest(2 * v_left, 100)) c;
    v_some := howdah.matching_runs(v_some, v_states, v_queues, v_tasks, v_tags, v_metadata, v_parent, v_root, v_error, v_since);
    runs := runs || v_some[1 : v_left];
    cursor := nullif(v_reached, 0);
    if cardinality(v_some) > v_left then
      cursor := runs[p_limit];
    end if;
    exit when cursor is null or cardinality(runs) >= p_limit;
    v_before := cursor;
  end loop;
  return next;
end
$$;
