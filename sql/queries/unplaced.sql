-- Runs that no living node may have. See views/unplaced.sql.
select task, queue, since, first_run, requires, sticky_to, why from howdah.unplaced;
