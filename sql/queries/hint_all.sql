-- Wakes nodes for several lines after a commit. See functions/hint.sql.
select howdah.hint(l.queue, l.task, l.priority, l.id, $5, l.last)
from unnest($1::int[], $2::int[], $3::smallint[], $4::bigint[], $6::bigint[]) l(queue, task, priority, id, last);
