-- Notes that a migration was applied.
insert into howdah.migration (number, name) values ($1, $2);
