-- The newest run, or 0. Takes no locks.
select coalesce(max(id), 0) as id from howdah.run;
