-- The newest runs in these pending states, below an id: candidates for find_runs(), and the id down to which nothing was
-- left out (0: there are no more). Waiting runs are read by line, timers by their key. Running ones have no index, because a
-- claim must stay a HOT update: each line is walked from its head, where they are, as far as the bound. Takes no locks.
create or replace function howdah.newest_pending(p_states text[], p_queues int[], p_tasks int[], p_before bigint, p_limit int)
  returns table (runs bigint[], reached bigint)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_examined_max int := 2000;
  v_walk_max int := 10000;
  v_all boolean := p_queues is null and p_tasks is null;
  v_found bigint[] := '{}';
  v_some bigint[];
  v_count bigint;
  v_last bigint;
begin
  reached := 0;
  if p_states && '{queued,gated}' and v_all then
    select array_agg(x.id) filter (where x.lease is null), count(*), min(x.id) into v_some, v_count, v_last
    from (select j.id, j.lease from howdah.job j where j.id < p_before order by j.id desc limit v_examined_max) x;
    v_found := v_found || v_some;
    reached := case when v_count = v_examined_max then v_last else reached end;
  elsif p_states && '{queued,gated}' then
    select v_found || array_agg(x.id) into v_found
    from howdah.pending_lines(p_queues, p_tasks) l
    cross join lateral (
      (select j.id from howdah.job j
       where not l.suspect and j.crashes < 2 and j.queue = l.queue and j.task = l.task and (j.line is null) = l.free and j.priority = l.priority
         and j.id < p_before and j.lease is null
       order by j.id desc limit p_limit)
      union all
      (select j.id from howdah.job j
       where l.suspect and j.crashes >= 2 and j.queue = l.queue and j.task = l.task and j.priority = l.priority
         and j.id < p_before and j.lease is null
       order by j.id desc limit p_limit)
    ) x;
  end if;
  if p_states && '{queued,gated}' then
    select array_agg(x.id) filter (where (p_queues is null or x.queue = any(p_queues)) and (p_tasks is null or x.task = any(p_tasks))),
           count(*), min(x.id)
    into v_some, v_count, v_last
    from (select m.id, m.queue, m.task from howdah.misfit m where m.id < p_before order by m.id desc limit v_examined_max) x;
    v_found := v_found || v_some;
    reached := case when v_count = v_examined_max then greatest(reached, v_last) else reached end;
  end if;
  if 'running' = any(p_states) then
    select v_found || array_agg(x.id) into v_found
    from howdah.pending_lines(p_queues, p_tasks) l
    cross join lateral (
      (select j.id, j.lease from howdah.job j
       where not l.suspect and j.crashes < 2 and j.queue = l.queue and j.task = l.task and (j.line is null) = l.free and j.priority = l.priority
       order by j.id limit v_walk_max)
      union all
      (select j.id, j.lease from howdah.job j
       where l.suspect and j.crashes >= 2 and j.queue = l.queue and j.task = l.task and j.priority = l.priority
       order by j.id limit v_walk_max)
    ) x
    where x.lease is not null and x.id < p_before;
  end if;
  if p_states && '{scheduled,retrying}' then
    select array_agg(x.id) filter (
             where case when x.retrying then 'retrying' else 'scheduled' end = any(p_states)
               and (p_queues is null or x.queue = any(p_queues)) and (p_tasks is null or x.task = any(p_tasks))),
           count(*), min(x.id)
    into v_some, v_count, v_last
    from (
      select w.id, w.queue, w.task, w.retrying from howdah.timer w where w.id < p_before order by w.id desc limit v_examined_max
    ) x;
    v_found := v_found || v_some;
    reached := case when v_count = v_examined_max then greatest(reached, v_last) else reached end;
  end if;
  runs := array(select distinct f from unnest(v_found) f where f >= reached order by f desc limit p_limit);
  if cardinality(runs) = p_limit then
    reached := runs[p_limit];
  end if;
  return next;
end
$$;
