-- How many runs have not ended. Takes no locks.
select (select count(*) from howdah.job) + (select count(*) from howdah.timer) as runs;
