-- Deletes what dropped runs have left behind. See functions/sweep.sql.
select howdah.sweep($1) as swept;
