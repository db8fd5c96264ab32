-- The newest runs with these tags and this metadata, below an id: candidates for find_runs(), and the id down to which nothing
-- was left out (0: there are no more). First the newest few thousand by key, which finds what is common; then, day by day, by
-- the index of marks, which finds what is rare. A day with many of them is read by key again, a few thousand at a time.
-- Takes no locks.
create or replace function howdah.newest_marked(p_tags text[], p_metadata jsonb, p_before bigint, p_floor bigint, p_limit int)
  returns table (runs bigint[], reached bigint)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_examined_max int := 2000;
  v_rare_max int := 2000;
  v_day int;
  v_oldest int := greatest(howdah.oldest_day(), (p_floor >> 40)::int);
  v_high bigint;
  v_low bigint;
  v_some bigint[];
  v_count bigint;
  v_last bigint;
begin
  select array_agg(x.id) filter (where (p_tags is null or x.tags @> p_tags) and (p_metadata is null or x.metadata @> p_metadata)),
         count(*), min(x.id)
  into runs, v_count, v_last
  from (
    select r.id, r.tags, r.metadata from howdah.run r where r.id < p_before and r.id >= p_floor order by r.id desc limit v_examined_max
  ) x;
  runs := coalesce(runs, '{}');
  reached := case when v_count = v_examined_max then v_last else 0 end;
  if reached > 0 and cardinality(runs) * 20 < p_limit then
    v_day := ((reached - 1) >> 40)::int;
    while v_day >= v_oldest and cardinality(runs) < p_limit loop
      v_low := greatest(p_floor, v_day::bigint << 40);
      v_high := least(reached, (v_day::bigint + 1) << 40);
      v_some := howdah.rare_marks(p_tags, p_metadata, v_low, v_high, v_rare_max);
      exit when cardinality(v_some) = v_rare_max;
      runs := runs || array(select s from unnest(v_some) s order by s desc);
      reached := v_low;
      v_day := v_day - 1;
    end loop;
    reached := case when v_day < v_oldest then 0 else reached end;
  end if;
  if cardinality(runs) > p_limit then
    runs := runs[1 : p_limit];
    reached := runs[p_limit];
  end if;
  return next;
end
$$;
