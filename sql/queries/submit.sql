-- Enqueues runs of one task. Options travel as text: a user's connection may have its own json codec. The casts are for
-- drivers that would guess otherwise. See functions/submit.sql.
select ids, queue, task, priority, due_s, created from howdah.submit($1::text, $2::text[], $3::text::jsonb, $4::boolean, $5::text[]);
