-- Lines that wait for the gate, from behind p_after on (null: from the first), at most p_lines of them, with up to p_heads of
-- their runs by priority, then id, and whether there are more. One index probe for each line, however many runs wait. The
-- line of a paused queue or task has none.
-- An answer with fewer lines than asked for is the last. Before the first line come suspects, of which each node has one at a time:
-- each is a line of its own, -n for run n. Takes no locks.
create or replace function howdah.gate_look(p_after bigint, p_lines int, p_heads int)
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
  if p_after is null then
    return query
    select -s.id, s.queue, s.task, howdah.active_demands(r.demands, s.flags), array[s.priority], array[s.id], false,
           case when s.flags & 1024 <> 0 then howdah.misfit_placement(r.placement, s.task, s.id) else r.placement end,
           howdah.head_sinces(r.placement, s.task, array[s.id])
    from (
      select j.id, j.queue, j.task, j.priority, j.flags from howdah.job j
      where j.crashes >= 2 and j.line is not null and j.lease is null
        and not exists (select from howdah.paused p where p.queue = j.queue or p.task = j.task)
      order by j.id limit p_lines
    ) s
    cross join lateral (select r.demands, r.placement from howdah.run r where r.id = s.id offset 0) r;
  end if;
  return query
  with recursive walk as (
    (select j.line, 1 as n, j.queue, j.task from howdah.job j
     where j.line is not null and j.crashes < 2 and j.line > coalesce(p_after, -9223372036854775808) order by j.line limit 1)
    union all
    select next.line, w.n + 1, next.queue, next.task from walk w
    cross join lateral (
      select j.line, j.queue, j.task from howdah.job j where j.line is not null and j.crashes < 2 and j.line > w.line order by j.line limit 1
    ) next
    where w.n < p_lines
  )
  select w.line, coalesce(h.queue, 0), coalesce(h.task, 0), case when h.flags & 64 = 0 then r.demands else howdah.active_demands(r.demands, h.flags) end, coalesce(h.priorities[1 : p_heads], '{}'), coalesce(h.runs[1 : p_heads], '{}'),
         coalesce(cardinality(h.runs) > p_heads, false),
         case when h.flags & 1024 <> 0 then howdah.misfit_placement(r.placement, h.task, h.runs[1]) else r.placement end,
         case when r.placement is not null then howdah.head_sinces(r.placement, h.task, h.runs[1 : p_heads]) end
  from walk w
  cross join lateral (
    select min(x.queue) as queue, min(x.task) as task, min(x.flags) as flags, array_agg(x.priority) as priorities,
           array_agg(x.id) as runs
    from (
      select j.queue, j.task, j.priority, j.id, j.flags from howdah.job j
      where j.line = w.line and j.line is not null and j.crashes < 2 and j.lease is null order by j.priority, j.id
      limit case when v_pauses and exists (select from howdah.paused p where p.queue = w.queue or p.task = w.task) then 0 else p_heads + 1 end
    ) x
  ) h
  left join lateral (select r.demands, r.placement from howdah.run r where r.id = h.runs[1] offset 0) r on true
  order by w.line;
end
$$;
