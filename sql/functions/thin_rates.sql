-- Rates of minutes become rates of hours when they are a day old, and end with the longest retention. Safe on any node, at any
-- time, twice. Answers how many rows went. Locks: advisory (the one of roll_up), then rows of rate.
create or replace function howdah.thin_rates(p_keep_days int) returns int
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_minutes_until timestamptz := date_trunc('hour', howdah.clock() - interval '1 day');
  v_count int;
begin
  if not pg_try_advisory_xact_lock(7738135626412) then
    return 0;
  end if;
  delete from howdah.rate r where r.at < howdah.clock() - make_interval(days => p_keep_days);
  with gone as materialized (
    delete from howdah.rate r where r.at < v_minutes_until and r.at <> date_trunc('hour', r.at) returning r.at, r.queue, r.task, r.kind, r.n
  ), kept as (
    insert into howdah.rate as o (at, queue, task, kind, n)
    select date_trunc('hour', g.at), g.queue, g.task, g.kind, sum(g.n) from gone g group by date_trunc('hour', g.at), g.queue, g.task, g.kind
    on conflict (at, queue, task, kind) do update set n = o.n + excluded.n
  )
  select count(*) into v_count from gone;
  return v_count;
end
$$;
