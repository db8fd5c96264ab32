-- Enqueues runs of one task. Options travel as text: a user's connection may have its own json codec. See functions/submit.sql.
select ids, queue, task, priority, due_s, created from howdah.submit($1, $2, $3::text::jsonb, $4);
