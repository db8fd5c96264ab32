-- The database of this connection, for people to read. Takes no locks.
select current_database();
