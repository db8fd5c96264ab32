-- Makes partitions of the days ahead. See functions/tend.sql.
select made, homeless from howdah.tend($1, $2);
