-- A node leaves in good order: it holds nothing any more, so its row goes, and what it was told to do. What it should still hold
-- after all comes back at once, and no crash is counted. Locks: the node's row, that of its order, then its job rows in id order.
create or replace function howdah.leave_node(p_node bigint) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'howdah.leave_node looks again after it has written, so it needs read committed' using errcode = '25001';
  end if;
  delete from howdah.node n where n.id = p_node returning n.name into v_name;
  delete from howdah.node_order o where o.node = v_name;
  perform howdah.reap_nodes(array[p_node], null);
end
$$;
