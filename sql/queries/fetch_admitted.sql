-- What the gate has admitted to this node. See functions/fetch_admitted.sql.
select id, queue, task, priority, attempt, lease, args, tags, metadata, options, aside, trace, asked, lane from howdah.fetch_admitted($1, $2, $3);
