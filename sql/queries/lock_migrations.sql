-- Waits for any other migration of this database to end. Lock: advisory, until the end of the transaction.
select pg_advisory_xact_lock($1);
