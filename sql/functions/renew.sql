-- Extends a node's lease. No row: the node was reaped, and everything it held belongs to others.
-- Answers the database's clock, and whether effects wait in inbox that nobody settled. Locks: the node's row.
create or replace function howdah.renew(p_node bigint, p_lease_s double precision) returns table (now timestamptz, unsettled boolean)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  return query
  update howdah.node n set renewed = howdah.clock(), until = howdah.clock() + make_interval(secs => p_lease_s)
  where n.id = p_node
  returning howdah.clock(), exists (select from howdah.inbox i where i.at < howdah.clock() - interval '1 second');
end
$$;
