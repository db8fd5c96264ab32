-- Hands back what a living node holds under leases other than these, as a reaper would, but no crash is counted: it never
-- started them. Where a cancel was asked for they end. Returns how many.
-- A crash of Postgres forgets the latest claims, and would hand their numbers out again: those that the node still works under are
-- passed over first, so that it never has one twice.
-- Runs with limits were not claimed: what the gate admitted is told again until the node has it.
-- Locks: the job rows handed back, in id order.
create or replace function howdah.return_unknown(p_node bigint, p_leases bigint[]) returns int
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_back int;
begin
  while (select n.last_value from howdah.lease_number n) < (select max(l) from unnest(p_leases) l) loop
    perform nextval('howdah.lease_number');
  end loop;
  with held as materialized (
    select j.id, j.task, j.flags from howdah.job j where j.node = p_node and j.lease <> all (p_leases) and j.line is null order by j.id for update
  )
  insert into howdah.event (run, task, kind) select h.id, h.task, case when h.flags & 1 <> 0 then 17 else 20 end from held h;
  get diagnostics v_back = row_count;
  return v_back;
end
$$;
