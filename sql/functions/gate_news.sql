-- Which of these runs wait for the gate, by line: those from p_low to p_high, at most p_limit, or those of p_runs; and how far this
-- went (null: to the end), which a row without a line says where none waits. A suspect, run n, is a line of its own: -n. Takes no locks.
create or replace function howdah.gate_news(p_low bigint, p_high bigint, p_runs bigint[], p_limit int)
  returns table (line bigint, queue int, task int, demands jsonb, priorities smallint[], runs bigint[], last bigint,
                 placement jsonb, sinces double precision[])
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  with found as materialized (
    (select j.id, j.line, j.queue, j.task, j.priority, j.lease, j.crashes, j.flags from howdah.job j where j.id between p_low and p_high order by j.id limit p_limit)
    union all
    select j.id, j.line, j.queue, j.task, j.priority, j.lease, j.crashes, j.flags from unnest(p_runs) u cross join lateral (select * from howdah.job j where j.id = u) j
  ), grouped as (
    select case when f.crashes < 2 then f.line else -f.id end as line, min(f.queue) as queue, min(f.task) as task, min(f.flags) as flags, array_agg(f.priority order by f.priority, f.id) as priorities,
           array_agg(f.id order by f.priority, f.id) as runs
    from found f where f.line is not null and f.lease is null group by 1
  ), reached as (
    select case when count(*) = p_limit then max(f.id) end as last from found f
  )
  select g.line, g.queue, g.task, howdah.active_demands(r.demands, g.flags), g.priorities, g.runs, e.last,
         case when g.flags & 1024 <> 0 then howdah.misfit_placement(r.placement, g.task, g.runs[1]) else r.placement end,
         howdah.head_sinces(r.placement, g.task, g.runs)
  from reached e
  left join grouped g on true
  left join lateral (select r.demands, r.placement from howdah.run r where r.id = g.runs[1] offset 0) r on true;
end
$$;
