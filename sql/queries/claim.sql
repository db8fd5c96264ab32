-- Runs for this node from these lines. See functions/claim.sql.
select id, queue, task, priority, attempt, lease, args, tags, metadata, options, aside, trace, asked from howdah.claim($1, $2, $3, $4, $5, $6, $7, $8);
