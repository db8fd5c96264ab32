-- Applies what events mean for others, exactly once, by whoever comes first: tells the waiters of ended runs.
-- Call it right after the commit, outside of a transaction; a crash in between is found by the next call.
-- Locks: inbox rows with skip locked. Does not wait for the disk: the log keeps the order. Returns rows taken.
create or replace function howdah.settle() returns int
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
  with first as materialized (
    select i.id from howdah.inbox i order by i.id limit 10000 for update skip locked
  ), taken as (
    delete from howdah.inbox i where i.id = any(array(select f.id from first f)) returning i.run
  )
  select array_agg(t.run) into v_runs from taken t;
  for i in 0 .. (coalesce(cardinality(v_runs), 0) - 1) / v_chunk loop
    exit when v_runs is null;
    perform pg_notify('howdah_done', array_to_string(v_runs[i * v_chunk + 1 : (i + 1) * v_chunk], ' '));
  end loop;
  return coalesce(cardinality(v_runs), 0);
end
$$;
