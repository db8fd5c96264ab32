-- Whether this database has our schema and its list of migrations. Takes no locks.
select to_regclass('howdah.migration') is not null as present;
