-- Frees the seat of the gate from nodes that are no more: a frozen one would keep it for ever, and so would one that froze while it
-- waited for it, since the server hands it over all the same. Their connections are known by the names of the nodes, and are ended;
-- p_blocked: so are those of this node, whose loop is blocked while its lease goes on.
-- For whoever found nodes dead, and now and then, since whoever found them may have died of it. Runs with the caller's rights: nodes
-- of one role may end each other's connections. Takes no locks.
create or replace function howdah.gate_free(p_blocked text) returns void
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_terminate_backend(a.pid)
  from pg_stat_activity a
  where a.datname = current_database() and a.application_name ~ '^howdah (seat|gate) ' and pg_has_role(a.usesysid, 'usage')
    and (substr(a.application_name, 13) = p_blocked or not howdah.is_listed(substr(a.application_name, 13)));
end
$$;
