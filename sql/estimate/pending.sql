-- Whether any run is left, by the index, whose dead entries are marked: the table holds what is dead as well. Takes no locks.
select (select id from howdah.job order by id limit 1) is not null as pending;
