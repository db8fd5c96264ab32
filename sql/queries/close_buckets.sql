-- Closes rates for a while, for the keys of runs that asked for it. See functions/close_buckets.sql.
select howdah.close_buckets($1, $2, $3, $4, $5);
