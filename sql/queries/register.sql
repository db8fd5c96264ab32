-- States what a task is. See functions/register.sql.
select howdah.register($1, $2, $3, $4, $5, $6, $7) as id;
