-- Starts the on_failure handler of each failed run, and the subscribers of run.failed, as runs whose one argument says what
-- happened. A handler's run is a child of the run that failed. Subscribers do not hear of subscribers. The arguments are
-- passed on as the text that they are: json takes what jsonb refuses, and one run must not keep everybody's effects.
-- Locks: none that another run waits for.
create or replace function howdah.tell_failures(p_runs bigint[]) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_one record;
  v_facts jsonb := '[]';
begin
  for v_one in
    select r.id, t.name, t.defaults -> 'on_failure' as handler, r.args, o.attempt, o.data ->> 'type' as type, o.data ->> 'message' as message,
           (select k.state from howdah.kind k where k.id = o.kind) as state,
           exists (select from howdah.subscriber s where s.task = r.task) as deaf
    from howdah.outcomes(p_runs) o join howdah.run r on r.id = o.run join howdah.task t on t.id = r.task order by r.id
  loop
    if v_one.handler is not null then
      begin
        perform howdah.submit(v_one.handler ->> 'task', array[json_build_object(v_one.handler ->> 'parameter', json_build_object(
          'run_id', v_one.id, 'task', v_one.name, 'state', v_one.state, 'attempt', v_one.attempt, 'error_type', v_one.type,
          'message', v_one.message, 'args', v_one.args))::text], jsonb_build_object('parent', v_one.id, 'debounce', null), true);
      exception when data_exception or integrity_constraint_violation then
        raise warning 'the failure of run % could not be told to its handler: %', v_one.id, sqlerrm;
      end;
    end if;
    if not v_one.deaf then
      v_facts := v_facts || jsonb_build_object('fact', 'run.failed', 'run', v_one.id, 'attempt', v_one.attempt, 'state', v_one.state,
                                               'error_type', v_one.type, 'message', v_one.message);
    end if;
  end loop;
  perform howdah.tell_facts(v_facts);
end
$$;
