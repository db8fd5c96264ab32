-- What each line (queue, task) holds now: the roll-up and what is still to be rolled up, from one snapshot, so exact. Counts
-- of events are those since the beginning, whatever history still holds; kind 0 is an enqueue. Never reads the big tables.
-- Takes no locks.
create or replace function howdah.standing() returns table (queue int, task int, kind smallint, n bigint, ready bigint, running bigint, later bigint)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  select x.queue, x.task, x.kind, sum(x.n)::bigint, sum(x.ready)::bigint, sum(x.running)::bigint, sum(x.later)::bigint
  from (
    select t.queue, t.task, t.kind, t.n, t.ready, t.running, t.later from howdah.total t
    union all
    select t.queue, t.task, coalesce(t.kind, 0::smallint), t.n, t.ready, t.running, t.later from howdah.tally t
  ) x
  group by x.queue, x.task, x.kind;
end
$$;
