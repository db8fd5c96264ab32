-- Ends runs whose limit is full. See functions/refuse.sql.
select run from howdah.refuse($1, $2, $3);
