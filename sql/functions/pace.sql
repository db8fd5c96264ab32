-- What each line (queue, task) did for each minute of the last ones: the mean of p_minutes full minutes and of the one under way.
-- Takes no locks.
create or replace function howdah.pace(p_minutes int)
  returns table (queue int, task int, enqueued_per_minute double precision, succeeded_per_minute double precision, failed_per_minute double precision)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_from timestamptz := date_trunc('minute', howdah.clock()) - make_interval(mins => p_minutes);
  v_minutes double precision := extract(epoch from howdah.clock() - v_from) / 60;
begin
  return query
  select x.queue, x.task, sum(x.n) filter (where x.kind = 0) / v_minutes, sum(x.n) filter (where x.kind = 1) / v_minutes,
         sum(x.n) filter (where x.kind in (2, 18, 21, 22)) / v_minutes
  from (
    select r.queue, r.task, r.kind, r.n from howdah.rate r where r.at >= v_from
    union all
    select t.queue, t.task, t.kind, t.n::bigint from howdah.tally t where t.at >= v_from and t.n > 0
  ) x
  group by x.queue, x.task;
end
$$;
