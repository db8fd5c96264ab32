-- Drops a replication slot: what it kept for its reader is gone.
select pg_drop_replication_slot(:'slot');
