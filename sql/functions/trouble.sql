-- What went wrong lately and was not mended since: runs that ended as failed, quarantined, lost or expired, grouped by task,
-- state and fingerprint of the error, newest first. Looks at the newest few hundred such ends of each task, up to p_limit in all
-- (of at most a hundred tasks); truncated: this task has more, and what lies behind is not counted. Takes no locks.
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
  v_each int := least(500, greatest(20, p_limit / greatest(1, cardinality(v_tasks))));
begin
  return query
  with candidate as materialized (
    select distinct t.id as task, x.run, x.n = v_each as truncated
    from unnest(v_tasks) t(id)
    cross join lateral (
      select e.run, e.kind, count(*) over () as n
      from (
        select e.run, e.kind from howdah.event e where e.task = t.id and e.kind in (2, 3, 17, 18, 21, 22) order by e.run desc limit v_each
      ) e
    ) x
    where x.kind in (2, 18, 21, 22)
  ), fate as materialized (
    select c.task, c.run, c.truncated, last.at, last.kind, last.data ->> 'fingerprint' as fingerprint, last.data ->> 'type' as type,
           left(last.data ->> 'message', 500) as message
    from candidate c
    cross join lateral (
      select e.kind, e.at, e.data from howdah.event e
      where e.task = c.task and e.run = c.run and e.kind in (1, 2, 3, 17, 18, 21, 22, 23) order by e.at desc limit 1
    ) last
    where last.kind in (2, 18, 21, 22)
  )
  select (select t.name from howdah.task t where t.id = f.task), (select k.state from howdah.kind k where k.id = f.kind), f.fingerprint,
         (array_agg(f.type order by f.run desc))[1], (array_agg(f.message order by f.run desc))[1], count(*), max(f.run), max(f.at),
         bool_or(f.truncated)
  from fate f
  group by f.task, f.kind, f.fingerprint
  order by max(f.at) desc;
end
$$;
