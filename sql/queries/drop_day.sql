-- Ends the retention of one day. See functions/drop_day.sql.
select howdah.drop_day($1) as dropped;
