-- After a claim whose answer was lost: ends the connection that made it, should it still be at work, and hands back
-- what the node holds under leases that it does not know. Reads the whole of job: lost connections are rare.
-- 40001: that connection does not end, as where its backend waits for a broken disk. What it claimed is not to be seen yet, and once
-- it is, nobody would work on it or hand it back: come again.
-- Locks: the job rows handed back, in id order.
create or replace function howdah.recover(p_node bigint, p_leases bigint[], p_application text) returns int
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_left int[] := array(
    select a.pid from pg_stat_activity a
    where a.application_name = p_application and a.datname = current_database() and a.pid <> pg_backend_pid()
  );
begin
  if v_left <> '{}' then
    perform pg_terminate_backend(l.pid, 1000) from unnest(v_left) l(pid);  -- False also of one that has ended by itself.
    perform pg_stat_clear_snapshot();
    if exists (select from pg_stat_activity a where a.pid = any(v_left) and a.application_name = p_application) then
      raise exception 'the connection that a claim was lost on is still there' using errcode = '40001';
    end if;
  end if;
  return howdah.return_unknown(p_node, p_leases);
end
$$;
