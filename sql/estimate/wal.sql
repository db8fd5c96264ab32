-- How many bytes of WAL the server has ever written, whoever made it write them. Takes no locks.
select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint as bytes;
