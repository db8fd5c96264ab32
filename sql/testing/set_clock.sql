-- The statement that moves the clock by an interval for all that connect to this database from then on. Takes no locks.
select format('alter database %I set howdah.shift = %L', current_database(), $1::text) as statement;
