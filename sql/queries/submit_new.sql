-- The same for a task that may not be in the catalogue yet, in one round trip. See functions/submit_new.sql.
select ids, queue, task, priority, due_s, created
from howdah.submit_new($1::text, $2::text[], $3::text::jsonb, $4::boolean, $5::text, $6::smallint, $7::text::jsonb, $8::text::jsonb, $9::text[]);
