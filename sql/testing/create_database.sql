-- The statement that clones a database (template1: an empty one). Takes no locks.
select format('create database %I template %I', $1::text, $2::text) as statement;
