-- Forgets what waits, in a database that will be dropped: the next level begins with nothing. Locks the rows of all hot runs.
delete from howdah.job;
