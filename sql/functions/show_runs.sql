-- These runs as rows of the view howdah.runs, newest first, under plan guards, which a view alone would not have.
-- Runs that history does not hold are left out. Takes no locks.
create or replace function howdah.show_runs(p_runs bigint[])
  returns table (
    id bigint, task text, queue text, state text, priority smallint, enqueued_at timestamptz, due_at timestamptz, started_at timestamptz,
    ended_at timestamptz, attempts bigint, crashes bigint, parent bigint, root bigint, tags text[], metadata jsonb, args json, result json,
    error json, reason text, progress json, node text
  )
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  select v.* from unnest(p_runs) u(run) cross join lateral (select * from howdah.runs v where v.id = u.run offset 0) v order by u.run desc;
end
$$;
