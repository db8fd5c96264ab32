-- How many runs a filter lets through, from the roll-up, so exact and never read from the big tables. A filter may say state, task,
-- queue (one name or several each) and since, rounded down to the minute, after a day to the hour. Pending states are counted as
-- they are now (scheduled and retrying ones only together, gated ones with the queued, and without since). Ends are counted as they happened, whatever history
-- still holds: a run that ended again after a retry counts twice. No state: runs enqueued. Takes no locks.
create or replace function howdah.count_runs(p_filter jsonb) returns bigint
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_states text[] := coalesce(howdah.filter_names(p_filter -> 'state'), '{enqueued}');
  v_queues int[];
  v_tasks int[];
  v_kinds smallint[];
  v_since timestamptz := howdah.filter_since(p_filter -> 'since');
  v_unknown text;
begin
  select k into v_unknown from jsonb_object_keys(p_filter) k where k <> all ('{state,task,queue,since}'::text[]) limit 1;
  if found then
    raise exception 'runs are not counted by "%"', v_unknown
      using errcode = '22023', hint = 'Counts are kept by state, task, queue and since; list the runs to see the others.';
  end if;
  if ('scheduled' = any(v_states)) <> ('retrying' = any(v_states)) then
    raise exception 'scheduled and retrying runs are counted together only'
      using errcode = '22023', hint = 'Ask for both states, or list the runs.';
  end if;
  if 'gated' = any(v_states) and not 'queued' = any(v_states) then
    raise exception 'gated runs are counted together with queued ones only'
      using errcode = '22023', hint = 'Ask for both states, or list the runs.';
  end if;
  if v_since is not null and v_states && '{queued,gated,running,scheduled,retrying}' then
    raise exception 'pending runs are counted as they are now, not since a time'
      using errcode = '22023', hint = 'Leave since out, or list the runs.';
  end if;
  v_queues := case when p_filter ? 'queue' then array(select q.id from howdah.queue q where q.name = any(howdah.filter_names(p_filter -> 'queue'))) end;
  v_tasks := case when p_filter ? 'task' then array(select t.id from howdah.task t where t.name = any(howdah.filter_names(p_filter -> 'task'))) end;
  v_kinds := array(select k.id from howdah.kind k where k.final and k.state = any(v_states)
                   union all select 0 where 'enqueued' = any(v_states));
  if v_since is not null then
    return (
      select coalesce(sum(x.n), 0)
      from (
        select r.queue, r.task, r.kind, r.n from howdah.rate r
        where r.at >= date_trunc(case when v_since < howdah.clock() - interval '1 day' then 'hour' else 'minute' end, v_since)
        union all
        select t.queue, t.task, t.kind, t.n from howdah.tally t where t.at >= date_trunc('minute', v_since)
      ) x
      where x.kind = any(v_kinds) and (v_queues is null or x.queue = any(v_queues)) and (v_tasks is null or x.task = any(v_tasks))
    );
  end if;
  return (
    select coalesce(sum(
      case when s.kind = any(v_kinds) then s.n else 0 end + case when 'queued' = any(v_states) then s.ready else 0 end
      + case when 'running' = any(v_states) then s.running else 0 end + case when 'retrying' = any(v_states) then s.later else 0 end), 0)
    from howdah.standing() s
    where (v_queues is null or s.queue = any(v_queues)) and (v_tasks is null or s.task = any(v_tasks))
  );
end
$$;
