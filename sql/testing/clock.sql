-- What time it is in this database, for this session. Takes no locks.
select howdah.clock() as now;
