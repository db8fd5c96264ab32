-- A node says of itself what it has from now on; the gate hears of it. False: it has lost its lease, and says it when it enters anew.
-- 22023: its labels are none. Locks: the node's row.
create or replace function howdah.label_node(p_node bigint, p_labels jsonb) returns boolean
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  update howdah.node n set labels = howdah.checked_labels(p_labels) where n.id = p_node;
  if not found then
    return false;
  end if;
  perform howdah.tell('howdah_gate', 'labels');
  return true;
end
$$;
