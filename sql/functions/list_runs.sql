-- The newest runs that a filter lets through, as rows of the view howdah.runs. What a filter may say: see find_runs(),
-- which also tells how far a search got that stopped at its bound. Takes no locks.
create or replace function howdah.list_runs(p_filter jsonb default '{}', p_limit int default 50)
  returns table (
    id bigint, task text, queue text, state text, priority smallint, enqueued_at timestamptz, due_at timestamptz, started_at timestamptz,
    ended_at timestamptz, attempts bigint, crashes bigint, parent bigint, root bigint, tags text[], metadata jsonb, args json, result json,
    error json, reason text, progress json, node text
  )
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return query select s.* from howdah.find_runs(p_filter, p_limit) f cross join lateral howdah.show_runs(f.runs) s;
end
$$;
