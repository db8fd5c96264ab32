-- Frees the seat of the gate from a node that is no more: its connections are ended, since a frozen one would keep it for ever.
-- Called by whoever found the node dead. Runs with the caller's rights: nodes of one role may end each other's connections.
-- Takes no locks.
create or replace function howdah.gate_free() returns void
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_terminate_backend(a.pid)
  from howdah.gate_backends() b(pid) join pg_stat_activity a on a.pid = b.pid
  where a.datname = current_database() and a.application_name like 'howdah %' and a.pid <> pg_backend_pid();
end
$$;
