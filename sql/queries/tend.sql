-- Looks after partitions. See functions/tend.sql.
select made, dropped, homeless from howdah.tend($1, $2, $3);
