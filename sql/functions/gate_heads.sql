-- The first runs of these lines that wait: what the gate asks for where it has admitted all that it knew of. A line of which nothing
-- is left, or whose queue or task is paused, has no runs in the answer. -n is the line of a suspect, run n. See gate_look(). Takes no
-- locks.
create or replace function howdah.gate_heads(p_lines bigint[], p_heads int)
  returns table (line bigint, queue int, task int, demands jsonb, priorities smallint[], runs bigint[], more boolean,
                 placement jsonb, sinces double precision[])
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_pauses boolean := exists (select from howdah.paused);
begin
  return query
  select w.line, coalesce(h.queue, 0), coalesce(h.task, 0), case when h.flags & 64 = 0 then r.demands else howdah.active_demands(r.demands, h.flags) end, coalesce(h.priorities[1 : p_heads], '{}'), coalesce(h.runs[1 : p_heads], '{}'),
         coalesce(cardinality(h.runs) > p_heads, false),
         case when h.flags & 1024 <> 0 then howdah.misfit_placement(r.placement, h.task, h.runs[1]) else r.placement end,
         case when r.placement is not null then howdah.head_sinces(r.placement, h.task, h.runs[1 : p_heads]) end
  from unnest(p_lines) w(line)
  cross join lateral (
    select min(x.queue) as queue, min(x.task) as task, min(x.flags) as flags, array_agg(x.priority) as priorities,
           array_agg(x.id) as runs
    from (
      (
        select j.queue, j.task, j.priority, j.id, j.flags from howdah.job j
        where j.line = w.line and j.line is not null and j.crashes < 2 and j.lease is null
        order by j.priority, j.id limit p_heads + 1
      )
      union all
      select j.queue, j.task, j.priority, j.id, j.flags from howdah.job j
      where j.id = -w.line and j.line is not null and j.crashes >= 2 and j.lease is null
    ) x
    where not (v_pauses and exists (select from howdah.paused p where p.queue = x.queue or p.task = x.task))
  ) h
  left join lateral (select r.demands, r.placement from howdah.run r where r.id = h.runs[1] offset 0) r on true;
end
$$;
