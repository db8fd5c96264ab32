-- The newest migration that this database has. Takes no locks.
select max(number) as number from howdah.migration;
