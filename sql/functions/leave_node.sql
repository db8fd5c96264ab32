-- A node leaves in good order: it holds nothing any more, so its row goes. What it should still hold after all
-- comes back at once, as after a crash. Locks: the node's row, then its job rows in id order.
create or replace function howdah.leave_node(p_node bigint) returns int
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  delete from howdah.node n where n.id = p_node;
  return howdah.reap_nodes(array[p_node]);
end
$$;
