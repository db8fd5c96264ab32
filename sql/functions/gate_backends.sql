-- The connections of the node that holds the gate, where that node is no more. Takes no locks.
create or replace function howdah.gate_backends() returns setof int
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
  begin atomic
    select unnest(g.backends) from howdah.gate g
    where g.node is not null and not exists (select from howdah.node n where n.id = g.node);
  end;
