-- For how many days a queue keeps its runs. See functions/set_retention.sql.
select howdah.set_retention($1, $2);
