-- Puts a task into the catalogue unless it is there. See functions/introduce.sql.
select howdah.introduce($1, $2, $3, $4::text::jsonb, $5::text::jsonb) as id;
