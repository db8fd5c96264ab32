-- What went wrong lately and was not mended since: runs that ended as failed, quarantined, lost or expired, grouped by task,
-- state and fingerprint of the error, newest first. Looks at the newest few hundred such ends of each task, up to p_limit in all
-- (of at most a hundred tasks), and answers at most a hundred groups; truncated: this task has more ends, and what lies behind is
-- not counted. Takes no locks.
create or replace function howdah.trouble(p_limit int)
  returns table (task text, state text, fingerprint text, error_type text, message text, runs bigint, newest bigint, newest_at timestamptz, truncated boolean)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_tasks int[] := (howdah.ended_tasks('{2,18,21,22}', null, null))[1 : 100];
  v_low bigint;
  v_high bigint;
  v_found bigint[];
  v_cut int[];
  v_each int := least(500, greatest(20, p_limit / greatest(1, cardinality(v_tasks))));
begin
  with candidate as materialized (
    select t.id as task, x.run, x.kind, x.n
    from unnest(v_tasks) t(id)
    cross join lateral (
      select e.run, e.kind, count(*) over () as n
      from (
        select e.run, e.kind from howdah.event e where e.task = t.id and e.kind in (2, 3, 17, 18, 21, 22) order by e.run desc limit v_each
      ) e
    ) x
  )
  select array_agg(distinct c.run) filter (where c.kind in (2, 18, 21, 22)), array_agg(distinct c.task) filter (where c.n = v_each),
         min(c.run), max(c.run)
  into v_found, v_cut, v_low, v_high from candidate c;
  return query
  with fate as materialized (
    select r.task, r.id as run, last.at, last.kind, last.fingerprint
    from unnest(v_found) f(run)
    cross join lateral (select r.id, r.task from howdah.run r where r.id = f.run and r.id between v_low and v_high offset 0) r
    cross join lateral (
      select e.kind, e.at, e.data ->> 'fingerprint' as fingerprint from howdah.event e
      where e.task = r.task and e.run = r.id and e.run between v_low and v_high and e.kind in (1, 2, 3, 17, 18, 21, 22, 23, 24, 25)
      order by e.at desc limit 1
    ) last
    where last.kind in (2, 18, 21, 22)
  ), grouped as materialized (
    select f.task, f.kind, f.fingerprint, count(*) as runs, max(f.run) as newest, max(f.at) as newest_at
    from fate f group by f.task, f.kind, f.fingerprint order by max(f.at) desc limit 100
  )
  select (select t.name from howdah.task t where t.id = g.task), (select k.state from howdah.kind k where k.id = g.kind), g.fingerprint,
         said.data ->> 'type', left(said.data ->> 'message', 500), g.runs, g.newest, g.newest_at, g.task = any(coalesce(v_cut, '{}'))
  from grouped g
  left join lateral (
    select e.data from howdah.event e
    where e.task = g.task and e.run = g.newest and e.run between v_low and v_high and e.kind = g.kind order by e.at desc limit 1
  ) said on true
  order by g.newest_at desc;
end
$$;
