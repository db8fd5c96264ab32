-- The process that serves this connection. A pooler tells the client another one. Takes no locks.
select pg_backend_pid() as pid;
