-- Each task with what waits and runs of it, how it moves (per minute, over the last five and the one under way), and how its
-- runs ended since the beginning, whatever history still holds. queue is where its runs go unless they say otherwise. paused_since null: they start. A stable
-- contract: columns are only ever added, at the end. Never read from the big tables. Takes no locks.
create or replace view howdah.task_stats as
select
  t.name as task,
  (select q.name from howdah.queue q where q.id = t.queue) as queue,
  t.implemented,
  coalesce(s.ready, 0) as ready,
  coalesce(s.running, 0) as running,
  coalesce(s.later, 0) as later,
  extract(epoch from howdah.clock() - w.since)::double precision as oldest_waiting_s,
  coalesce(p.enqueued, 0) as enqueued_per_minute,
  coalesce(p.succeeded, 0) as succeeded_per_minute,
  coalesce(p.failed, 0) as failed_per_minute,
  coalesce(s.succeeded, 0) as succeeded,
  coalesce(s.failed, 0) as failed,
  coalesce(s.cancelled, 0) as cancelled,
  coalesce(s.retried, 0) as retried,
  (select h.at from howdah.paused h where h.task = t.id) as paused_since
from howdah.task t
left join (
  select o.task, sum(o.ready)::bigint as ready, sum(o.running)::bigint as running, sum(o.later)::bigint as later,
    sum(o.n) filter (where o.kind = 1)::bigint as succeeded, sum(o.n) filter (where o.kind in (2, 18, 21, 22))::bigint as failed,
    sum(o.n) filter (where o.kind in (3, 17))::bigint as cancelled, sum(o.n) filter (where o.kind = 4)::bigint as retried
  from howdah.standing() o group by o.task
) s on s.task = t.id
left join (select o.task, min(o.since) as since from howdah.oldest_waiting() o group by o.task) w on w.task = t.id
left join (
  select o.task, sum(o.enqueued_per_minute) as enqueued, sum(o.succeeded_per_minute) as succeeded, sum(o.failed_per_minute) as failed
  from howdah.pace(5) o group by o.task
) p on p.task = t.id;
