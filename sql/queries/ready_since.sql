-- Since when these runs were ready to start. See functions/ready_since.sql.
select n, since from howdah.ready_since($1, $2, $3);
