-- What the gate has admitted to a node, as claim() answers it: of these runs those that the node holds under the leases given.
-- Takes no locks: what it holds nobody else changes.
create or replace function howdah.fetch_admitted(p_node bigint, p_runs bigint[], p_leases bigint[])
  returns table (id bigint, queue int, task int, priority smallint, attempt smallint, lease bigint, args json,
                 tags text[], metadata jsonb, options jsonb, aside boolean, trace text, asked double precision, lane text)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_lowest bigint := (select min(x) from unnest(p_runs) x);
  v_highest bigint := (select max(x) from unnest(p_runs) x);
begin
  return query
  select h.id, h.queue, h.task, h.priority, h.attempt, h.lease, r.args, r.tags, r.metadata, r.options, false, r.trace,
    case when r.trace is not null then date_part('epoch', r.at) end, coalesce((r.demands #>> '{0,0}') || ':' || (r.demands #>> '{0,1}'), '')
  from unnest(p_runs, p_leases) a(run, lease)
  -- Fenced off: one walk of each index, whatever is known of the sizes of tables.
  join (select j.* from howdah.job j where j.id = any(p_runs) and j.node = p_node and j.line is not null offset 0) h on h.id = a.run and h.lease = a.lease
  join (
    select r.id, r.args, r.tags, r.metadata, r.options, r.trace, r.at, r.demands
    from howdah.run r where r.id = any(p_runs) and r.id between v_lowest and v_highest offset 0
  ) r on r.id = h.id
  order by h.priority, h.id;
end
$$;
