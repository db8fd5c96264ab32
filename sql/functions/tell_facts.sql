-- Starts a run of each subscriber of each fact, with the fact as its one argument: once per database per fact.
-- Locks: none that another run waits for.
create or replace function howdah.tell_facts(p_facts jsonb) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_one record;
begin
  for v_one in
    select t.name, s.parameter, f.fact, r.task
    from jsonb_array_elements(p_facts) with ordinality f(fact, n)
    join howdah.subscriber s on s.fact = f.fact ->> 'fact'
    join howdah.task t on t.id = s.task
    left join lateral (
      select o.name as task from howdah.run w join howdah.task o on o.id = w.task where w.id = (f.fact ->> 'run')::bigint
    ) r on true
    order by f.n, t.name
  loop
    perform howdah.submit(v_one.name, array[jsonb_build_object(v_one.parameter, jsonb_strip_nulls(jsonb_build_object(
      'fact', v_one.fact ->> 'fact', 'run_id', (v_one.fact ->> 'run')::bigint, 'task', v_one.task,
      'state', coalesce(v_one.fact ->> 'state', case v_one.fact ->> 'fact' when 'run.quarantined' then 'quarantined' end),
      'attempt', v_one.fact -> 'attempt', 'error_type', v_one.fact ->> 'error_type', 'message', v_one.fact ->> 'message',
      'node', v_one.fact -> 'node', 'lease', v_one.fact -> 'lease', 'other_node', v_one.fact -> 'other_node',
      'other_lease', v_one.fact -> 'other_lease', 'at', howdah.clock())))::text], '{"debounce": null}', true);
  end loop;
end
$$;
