-- Extends a node's lease. No row: the node was reaped, and everything it held belongs to others; or this is another world than the
-- one that it entered, where it may seem to hold what it has done already: its old lease runs out, and it enters anew.
-- Answers the database's clock, whether effects wait in inbox that nobody settled, and what the node was told to do (see order_node).
-- Locks: the node's row.
create or replace function howdah.renew(p_node bigint, p_lease_s double precision) returns table (now timestamptz, unsettled boolean, ordered text)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  return query
  update howdah.node n set renewed = howdah.clock(), until = howdah.clock() + make_interval(secs => p_lease_s)
  where n.id = p_node and n.world in ('', howdah.world())
  returning howdah.clock(), exists (select from howdah.inbox i where i.at < howdah.clock() - interval '1 second'),
            (select o.what from howdah.node_order o where o.node = n.name);
end
$$;
