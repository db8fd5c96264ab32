-- One round of find_runs(): the newest runs that may pass the filter, below an id, and the id down to which nothing was left out
-- (0: there are no more). Trees by the indexes of parents and roots, marks by theirs, pending and ended runs each by
-- their own, and no filter by the key of the run. Takes no locks.
create or replace function howdah.candidate_runs(
  p_pending text[], p_kinds smallint[], p_any boolean, p_queues int[], p_tasks int[], p_tags text[], p_metadata jsonb, p_parent bigint,
  p_root bigint, p_error text, p_before bigint, p_floor bigint, p_limit int
) returns table (runs bigint[], reached bigint)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_ended bigint[];
  v_reached bigint;
begin
  if p_parent is not null then
    runs := array(
      select r.id from howdah.run r where r.parent = p_parent and r.id >= greatest(p_floor, p_parent) and r.id < p_before
      order by r.id desc limit p_limit);
  elsif p_root is not null then
    runs := array(
      select r.id from howdah.run r where r.root = p_root and r.id >= greatest(p_floor, p_root) and r.id < p_before
      order by r.id desc limit p_limit);
    if cardinality(runs) < p_limit and p_root < p_before then
      runs := runs || p_root;
    end if;
  elsif p_tags is not null or p_metadata is not null then
    return query select * from howdah.newest_marked(p_tags, p_metadata, p_before, p_floor, p_limit);
    return;
  elsif p_any and p_queues is null and p_tasks is null then
    runs := array(select r.id from howdah.run r where r.id < p_before and r.id >= p_floor order by r.id desc limit p_limit);
  else
    runs := '{}';
    reached := 0;
    if cardinality(p_pending) > 0 then
      select c.runs, c.reached into runs, reached from howdah.newest_pending(p_pending, p_queues, p_tasks, p_before, p_limit) c;
    end if;
    if cardinality(p_kinds) > 0 then
      select c.runs, c.reached into v_ended, v_reached
      from howdah.newest_ended(p_kinds, p_queues, p_tasks, p_error, p_before, p_floor, p_limit) c;
      reached := greatest(reached, v_reached);
      runs := runs || v_ended;
    end if;
    runs := array(select distinct u from unnest(runs) u where u >= reached order by u desc limit p_limit);
    reached := case when cardinality(runs) = p_limit then runs[p_limit] else reached end;
    return next;
    return;
  end if;
  reached := case when cardinality(runs) = p_limit then runs[p_limit] else 0 end;
  return next;
end
$$;
