-- The queues that hold most, with how much was moved since the beginning (who looks twice knows the pace), and first of all one row
-- without a name: the sum over all queues. From the roll-up and what is still to be rolled up, so exact; the age of the oldest run is
-- looked up for the queues that are answered alone. Never reads the big tables. Takes no locks.
create or replace function howdah.busy_queues(p_limit int)
  returns table (queue text, ready bigint, running bigint, later bigint, waiting_s double precision,
                 enqueued bigint, succeeded bigint, failed bigint, retried bigint)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  with standing as materialized (
    select s.queue, sum(s.ready)::bigint as ready, sum(s.running)::bigint as running, sum(s.later)::bigint as later,
      coalesce(sum(s.n) filter (where s.kind = 0), 0)::bigint as enqueued, coalesce(sum(s.n) filter (where s.kind = 1), 0)::bigint as succeeded,
      coalesce(sum(s.n) filter (where s.kind in (2, 18, 21, 22)), 0)::bigint as failed, coalesce(sum(s.n) filter (where s.kind = 4), 0)::bigint as retried
    from howdah.standing() s group by s.queue
  ), chosen as materialized (
    select q.id, q.name, coalesce(s.ready, 0) as ready, coalesce(s.running, 0) as running, coalesce(s.later, 0) as later,
      coalesce(s.enqueued, 0) as enqueued, coalesce(s.succeeded, 0) as succeeded, coalesce(s.failed, 0) as failed, coalesce(s.retried, 0) as retried
    from howdah.queue q left join standing s on s.queue = q.id
    order by coalesce(s.ready + s.running, 0) desc, coalesce(s.later, 0) desc, coalesce(s.enqueued, 0) desc, q.name limit p_limit
  ), waiting as materialized (
    select w.queue, w.since from howdah.waiting_since(array(select c.id from chosen c where c.ready > 0)) w
  ), answer as (
    select 0 as place, null::text as queue, coalesce(sum(s.ready), 0)::bigint as ready, coalesce(sum(s.running), 0)::bigint as running,
      coalesce(sum(s.later), 0)::bigint as later, (select extract(epoch from howdah.clock() - min(w.since))::double precision from waiting w) as waiting_s,
      coalesce(sum(s.enqueued), 0)::bigint as enqueued, coalesce(sum(s.succeeded), 0)::bigint as succeeded,
      coalesce(sum(s.failed), 0)::bigint as failed, coalesce(sum(s.retried), 0)::bigint as retried
    from standing s
    union all
    select 1, c.name, c.ready, c.running, c.later, extract(epoch from howdah.clock() - w.since)::double precision,
      c.enqueued, c.succeeded, c.failed, c.retried
    from chosen c left join waiting w on w.queue = c.id
  )
  select a.queue, a.ready, a.running, a.later, a.waiting_s, a.enqueued, a.succeeded, a.failed, a.retried
  from answer a order by a.place, a.ready + a.running desc, a.later desc, a.enqueued desc, a.queue;
end
$$;
