-- Which of these running attempts (run, lease) somebody wants cancelled: what a node asks when a notification may be lost.
-- Takes no locks.
create or replace function howdah.asked(p_runs bigint[], p_leases bigint[]) returns table (run bigint, lease bigint)
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
  begin atomic
    select j.id, j.lease from unnest(p_runs, p_leases) a(run, lease)
    join howdah.job j on j.id = a.run and j.lease = a.lease where j.flags & 1 <> 0;
  end;
