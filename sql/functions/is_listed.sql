-- Whether a node of this name is on the list: one that is not has lost its lease, or has not entered yet. Takes no locks.
create or replace function howdah.is_listed(p_name text) returns boolean
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
  begin atomic
    select exists (select from howdah.node n where n.name = p_name);
  end;
