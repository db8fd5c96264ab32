-- Ends a session: its transaction rolls back.
select pg_terminate_backend(:pid);
