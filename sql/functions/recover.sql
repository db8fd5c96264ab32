-- After a claim whose answer was lost: ends the connection that made it, should it still be at work, and hands back
-- what the node holds under leases that it does not know. Reads the whole of job: lost connections are rare.
-- Locks: the job rows handed back, in id order.
create or replace function howdah.recover(p_node bigint, p_leases bigint[], p_application text) returns int
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_terminate_backend(a.pid, 5000) from pg_stat_activity a
  where a.application_name = p_application and a.datname = current_database() and a.pid <> pg_backend_pid();
  return howdah.return_unknown(p_node, p_leases);
end
$$;
