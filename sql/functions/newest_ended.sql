-- The newest runs with an end of these kinds, below an id: candidates for find_runs() (a run may live again since), and the
-- id down to which nothing was left out (0: there are no more). Goes back day by day, and more days at once the longer it
-- finds too little, in each by task: ends other than success have an index of their own. Tasks: those given, else those that the
-- roll-up knows such ends of. p_error: only failures with this fingerprint, which have one, too. Looks at a multiple of p_limit events at a time, then
-- says how far it got. Takes no locks.
create or replace function howdah.newest_ended(
  p_kinds smallint[], p_queues int[], p_tasks int[], p_error text, p_before bigint, p_floor bigint, p_limit int
) returns table (runs bigint[], reached bigint)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_probes_max int := 4000;
  v_probes int := 0;
  v_tasks int[] := howdah.ended_tasks(p_kinds, p_queues, p_tasks);
  v_trouble boolean := p_kinds <@ '{2,3,17,18,21,22}'::smallint[];
  v_days int := 1;
  v_floor bigint := greatest(p_floor, howdah.oldest_day()::bigint << 40);
  v_low bigint;
  v_each int := greatest(10, least(p_limit, 8 * p_limit / greatest(1, cardinality(v_tasks))));
  v_some bigint[];
  v_last bigint;
begin
  runs := '{}';
  reached := least(p_before, howdah.day_base() + (1::bigint << 40));
  while reached > v_floor and cardinality(v_tasks) > 0 loop
    v_low := greatest(v_floor, ((reached - 1) >> 40) - v_days + 1 << 40);
    if p_error is not null then
      select array_agg(distinct x.run), max(x.last) filter (where x.n = v_each)
      into v_some, v_last
      from unnest(v_tasks) t(id)
      cross join lateral (
        select e.run, count(*) over () as n, min(e.run) over () as last
        from (
          select e.run from howdah.event e
          where e.task = t.id and e.run >= v_low and e.run < reached and e.kind = 2 and e.data ->> 'fingerprint' = p_error
          order by e.run desc limit v_each
        ) e
      ) x;
    elsif v_trouble then
      select array_agg(distinct x.run) filter (where x.kind = any(p_kinds)), max(x.last) filter (where x.n = v_each)
      into v_some, v_last
      from unnest(v_tasks) t(id)
      cross join lateral (
        select e.run, e.kind, count(*) over () as n, min(e.run) over () as last
        from (
          select e.run, e.kind from howdah.event e
          where e.task = t.id and e.run >= v_low and e.run < reached and e.kind in (2, 3, 17, 18, 21, 22, 24, 25)
          order by e.run desc limit v_each
        ) e
      ) x;
    else
      select array_agg(distinct x.run) filter (where x.kind = any(p_kinds)), max(x.last) filter (where x.n = v_each)
      into v_some, v_last
      from unnest(v_tasks) t(id)
      cross join lateral (
        select e.run, e.kind, count(*) over () as n, min(e.run) over () as last
        from (
          select e.run, e.kind from howdah.event e
          where e.task = t.id and e.run >= v_low and e.run < reached
          order by e.run desc limit v_each
        ) e
      ) x;
    end if;
    reached := coalesce(v_last, v_low);
    runs := runs || array(select s from unnest(v_some) s where s >= reached order by s desc);
    v_probes := v_probes + v_days * cardinality(v_tasks) + coalesce(cardinality(v_some), 0) / 4;
    exit when reached > v_low or cardinality(runs) >= p_limit or v_probes > v_probes_max;
    v_days := v_days * 2;
  end loop;
  if cardinality(runs) > p_limit then
    runs := runs[1 : p_limit];
    reached := runs[p_limit];
  end if;
  reached := case when reached <= v_floor or coalesce(cardinality(v_tasks), 0) = 0 then 0 else reached end;
  return next;
end
$$;
