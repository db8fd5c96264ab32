-- Each queue with what it holds and how it moves (per minute, over the last five and the one under way). A stable contract:
-- columns are only ever added, at the end. paused_since null: its runs start. Exact, and never read from the big tables. Takes no locks.
create or replace view howdah.queue_stats as
select
  q.name as queue,
  coalesce(s.ready, 0) as ready,
  coalesce(s.running, 0) as running,
  coalesce(s.later, 0) as later,
  extract(epoch from howdah.clock() - w.since)::double precision as oldest_waiting_s,
  coalesce(p.enqueued, 0) as enqueued_per_minute,
  coalesce(p.succeeded, 0) as succeeded_per_minute,
  coalesce(p.failed, 0) as failed_per_minute,
  q.retention_days,
  (select h.at from howdah.paused h where h.queue = q.id) as paused_since
from howdah.queue q
left join (
  select o.queue, sum(o.ready)::bigint as ready, sum(o.running)::bigint as running, sum(o.later)::bigint as later from howdah.standing() o group by o.queue
) s on s.queue = q.id
left join (select o.queue, min(o.since) as since from howdah.oldest_waiting() o group by o.queue) w on w.queue = q.id
left join (
  select o.queue, sum(o.enqueued_per_minute) as enqueued, sum(o.succeeded_per_minute) as succeeded, sum(o.failed_per_minute) as failed
  from howdah.pace(5) o group by o.queue
) p on p.queue = q.id;
