-- A node takes the gate: the epoch is another one from here on, and with the old one nobody admits any more. Waits for admissions
-- that are under way. What they admitted is seen by the next statement, not by this one: rebuild there (gate_held).
-- HW002: the node has lost its lease.
-- Locks: the node's row for key share, then the gate's row.
create or replace function howdah.gate_enter(p_node bigint) returns bigint
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_epoch bigint;
begin
  perform 1 from howdah.node n where n.id = p_node and n.world in ('', howdah.world()) for key share;
  if not found then
    raise exception 'node % has lost its lease', p_node using errcode = 'HW002', hint = 'The node takes a new identity.';
  end if;
  update howdah.gate g set epoch = g.epoch + 1, node = p_node, at = howdah.clock() returning g.epoch into v_epoch;
  return v_epoch;
end
$$;
