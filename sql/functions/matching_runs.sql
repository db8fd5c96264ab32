-- Which of these runs a filter lets through, newest first: the part of find_runs() that looks at each candidate itself.
-- Null lets everything through. Work: a few index probes for each candidate. Takes no locks.
create or replace function howdah.matching_runs(
  p_runs bigint[], p_states text[], p_queues int[], p_tasks int[], p_tags text[], p_metadata jsonb, p_parent bigint, p_root bigint,
  p_error text, p_since timestamptz
) returns bigint[]
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_low bigint;
  v_high bigint;
begin
  -- A list alone prunes no partitions; its bounds do.
  select min(u), max(u) into v_low, v_high from unnest(p_runs) u;
  return array(
    select c.id
    from unnest(p_runs) c(id)
    cross join lateral (
      select r.task, r.queue from howdah.run r
      where r.id = c.id and r.id between v_low and v_high and (p_tasks is null or r.task = any(p_tasks))
        and (p_tags is null or r.tags @> p_tags) and (p_metadata is null or r.metadata @> p_metadata)
        and (p_parent is null or r.parent = p_parent) and (p_root is null or r.root = p_root or r.id = p_root)
        and (p_since is null or r.at >= p_since)
      offset 0
    ) r
    left join lateral (
      select case when j.lease is not null then 'running' when j.line is not null then 'gated' else 'queued' end as state, j.queue from howdah.job j where j.id = c.id
      union all
      select case when w.retrying then 'retrying' else 'scheduled' end, w.queue from howdah.timer w where w.id = c.id
      union all
      select 'queued', m.queue from howdah.misfit m where m.id = c.id
      limit 1
    ) hot on p_states is not null or p_queues is not null
    left join lateral (
      select e.kind, e.data from howdah.event e
      where e.task = r.task and e.run = c.id and e.run between v_low and v_high and e.kind in (1, 2, 3, 17, 18, 21, 22, 24, 25)
      order by e.at desc limit 1
    ) last on (p_states is not null and hot.state is null) or p_error is not null
    where (p_queues is null or coalesce(hot.queue, r.queue) = any(p_queues))
      and (p_states is null or coalesce(hot.state, (select k.state from howdah.kind k where k.id = last.kind)) = any(p_states))
      and (p_error is null or last.data ->> 'fingerprint' = p_error)
    order by c.id desc
  );
end
$$;
