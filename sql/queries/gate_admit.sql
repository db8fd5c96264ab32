-- Admits runs. See functions/gate_admit.sql.
select node, id, queue, task, priority, attempt, lease, args, tags, metadata, options, aside, trace, asked
from howdah.gate_admit($1, $2, $3, $4, $5, $6, $7, $8);
