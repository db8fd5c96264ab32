-- The days whose retention is over. See functions/old_days.sql.
select day from howdah.old_days($1) day;
