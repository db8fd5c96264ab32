-- States what a task is. See functions/register.sql.
select howdah.register($1, $2, $3, $4::text::jsonb, $5::text::jsonb, $6::text::jsonb, $7, $8::text::jsonb) as id;
