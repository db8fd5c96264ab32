-- The next runs of these lines, behind the (priority, id) given for each: what the gate asks for where it has admitted all that it
-- knew of. See gate_look(): none where they are paused. Takes no locks.
create or replace function howdah.gate_heads(p_lines bigint[], p_priorities smallint[], p_ids bigint[], p_heads int)
  returns table (line bigint, queue int, task int, demands jsonb, priorities smallint[], runs bigint[], more boolean)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  select w.line, h.queue, h.task, null::jsonb, coalesce(h.priorities[1 : p_heads], '{}'), coalesce(h.runs[1 : p_heads], '{}'),
         coalesce(cardinality(h.runs) > p_heads, false)
  from unnest(p_lines, p_priorities, p_ids) w(line, priority, id)
  cross join lateral (
    select min(x.queue) as queue, min(x.task) as task, array_agg(x.priority order by x.priority, x.id) as priorities,
           array_agg(x.id order by x.priority, x.id) as runs
    from (
      select j.queue, j.task, j.priority, j.id from howdah.job j
      where j.line = w.line and j.line is not null and j.crashes < 2 and j.lease is null and (j.priority, j.id) > (w.priority, w.id)
      order by j.priority, j.id limit p_heads + 1
    ) x
    where not exists (select from howdah.paused p where p.queue = x.queue or p.task = x.task)
  ) h;
end
$$;
