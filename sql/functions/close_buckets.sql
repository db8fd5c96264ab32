-- Closes rates for a while, each for the key of one run under it: RateLimited. What the bucket holds stays, and nothing flows in until
-- then; one that is closed for longer stays so. Written before the outcome of the run, so that no gate, whoever is it by then, admits
-- others that come to the same refusal: the gate is told, and gate_admit() would not let it pass over this.
-- Fenced by (run, lease, node): one that has lost its run closes nothing, nor does one that does not demand this rate. Called again it
-- says the same again. Locks: rows of bucket, by name and key.
create or replace function howdah.close_buckets(p_runs bigint[], p_leases bigint[], p_nodes bigint[], p_limits text[], p_seconds double precision[])
  returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_low bigint;
  v_high bigint;
  v_told bigint;
begin
  select min(u), max(u) into v_low, v_high from unnest(p_runs) u;
  with asked as materialized (
    select d ->> 0 as name, d ->> 1 as key, max(a.seconds) as seconds
    from unnest(p_runs, p_leases, p_nodes, p_limits, p_seconds) a(run, lease, node, name, seconds)
    join howdah.job j on j.id = a.run and j.lease = a.lease and j.node = a.node
    cross join lateral (select r.demands from howdah.run r where r.id = j.id and r.id between v_low and v_high offset 0) r
    cross join lateral jsonb_array_elements(r.demands) d
    join howdah.limit_terms l on l.name = d ->> 0 and l.kind = 'rate'
    where d ->> 0 = a.name
    group by d ->> 0, d ->> 1
  ), closed as (
    insert into howdah.bucket as b (name, key, level, at, closed)
    select a.name, a.key, 'infinity', u.until, u.until
    from asked a cross join lateral (select howdah.clock() + make_interval(secs => a.seconds) as until) u order by a.name, a.key
    on conflict on constraint bucket_pkey do update set at = greatest(b.at, excluded.at), closed = greatest(b.closed, excluded.closed)
    returning b.name, b.key
  )
  select count(howdah.tell('howdah_gate', 'closed ' || jsonb_build_array(c.name, c.key)::text)) into v_told from closed c;
end
$$;
