-- Since when runs were ready to start before the attempts under these leases, as Unix time: since they were asked for or due, or since
-- the attempt before went back or its wait ended. n counts the arrays from 1; runs whose history has been dropped are left out.
-- For metrics, of a sample: two index probes for each run. Takes no locks.
create or replace function howdah.ready_since(p_runs bigint[], p_tasks int[], p_leases bigint[])
  returns table (n int, since double precision)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_lowest bigint := (select min(x) from unnest(p_runs) x);
  v_highest bigint := (select max(x) from unnest(p_runs) x);
begin
  return query
  select f.n::int, date_part('epoch', greatest(r.due, b.back))
  from unnest(p_runs, p_tasks, p_leases) with ordinality f(run, task, lease, n)
  cross join lateral (
    select coalesce((r.options ->> 'due')::timestamptz, r.at) as due from howdah.run r
    where r.id = f.run and r.id between v_lowest and v_highest offset 0
  ) r
  cross join lateral (
    select max(e.at + coalesce(e.delay, interval '0')) as back from howdah.event e
    where e.task = f.task and e.run = f.run and e.run between v_lowest and v_highest
      and e.kind in (4, 5, 6, 7, 19, 20, 23) and e.lease is distinct from f.lease offset 0
  ) b;
end
$$;
