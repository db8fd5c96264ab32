-- Enqueues runs of one task, committed by this statement alone. It wakes nodes itself (told: it did, so no hint() is needed)
-- unless another one is doing so: the cluster's notification lock is held until the flush is over, and a second commit that
-- waited for it could not share the flush. Locks: advisory, tried and never waited for, until the commit. See functions/submit.sql.
select s.ids, s.queue, s.task, s.priority, s.due_s, s.created, t.told
from (select pg_try_advisory_xact_lock(7738135626414) as told offset 0) t
cross join lateral howdah.submit($1::text, $2::text[], $3::text::jsonb, t.told, $4::text[]) s;
