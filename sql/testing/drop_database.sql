-- The statement that drops a database, whoever is connected. Takes no locks.
select format('drop database if exists %I with (force)', $1::text) as statement;
