-- Ends a run as succeeded inside the caller's transaction, so that its effects and its end commit together.
-- Raises HW001 when the lease is gone: a zombie's effects roll back. Make it the last statement before commit.
-- Locks: the job row of the run. Under stricter isolation a concurrent change raises 40001.
create or replace function howdah.complete(p_run bigint, p_lease bigint, p_node bigint, p_started timestamptz, p_data text, p_logs text)
  returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_task int;
begin
  select j.task into v_task from howdah.job j where j.id = p_run and j.lease = p_lease and j.node = p_node for update;
  if not found then
    raise exception 'run % is no longer held under lease %', p_run, p_lease
      using errcode = 'HW001', hint = 'The run was taken over or has ended; this transaction must roll back.';
  end if;
  insert into howdah.event (run, lease, node, started, task, kind, data, logs)
  values (p_run, p_lease, p_node, p_started, v_task, 1, p_data::json, p_logs::json);
end
$$;
