-- Stores the latest progress of attempts and notifies howdah_progress with the ids of their runs. Fenced: one that does not
-- hold its run under (lease, node) any more is not heard. Returns how many were stored.
-- Locks: the job rows of the runs for key share in id order, so that a run that ends meanwhile is waited for; then their progress.
create or replace function howdah.note_progress(p_runs bigint[], p_leases bigint[], p_values text[], p_nodes bigint[]) returns int
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_runs bigint[];
  v_chunk int := 400;
begin
  perform set_config('synchronous_commit', 'off', true);
  with said as materialized (
    select s.run, s.lease, s.value, s.node from unnest(p_runs, p_leases, p_values, p_nodes) s(run, lease, value, node) order by s.run
  ), held as materialized (
    select j.id, s.value from said s join howdah.job j on j.id = s.run and j.lease = s.lease and j.node = s.node for key share of j
  ), noted as (
    insert into howdah.progress as p (run, value) select h.id, h.value::json from held h
    on conflict (run) do update set at = excluded.at, value = excluded.value
    returning p.run
  )
  select array_agg(n.run) into v_runs from noted n;
  for i in 0 .. (coalesce(cardinality(v_runs), 0) - 1) / v_chunk loop
    exit when v_runs is null;
    perform howdah.tell('howdah_progress', array_to_string(v_runs[i * v_chunk + 1 : (i + 1) * v_chunk], ' '));
  end loop;
  return coalesce(cardinality(v_runs), 0);
end
$$;
