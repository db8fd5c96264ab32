-- Ends a run in the transaction at hand. See functions/complete.sql.
select howdah.complete($1, $2, $3, $4, $5, $6);
