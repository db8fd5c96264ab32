-- Hands back what a living node holds under leases other than these, as a reaper would. Returns how many.
-- Locks: the job rows handed back, in id order.
create or replace function howdah.return_unknown(p_node bigint, p_leases bigint[]) returns int
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_back bigint[];
begin
  with held as materialized (
    select j.id from howdah.job j where j.node = p_node and j.lease <> all (p_leases) order by j.id for update
  )
  select array_agg(h.id) into v_back from held h;
  insert into howdah.event (run, kind) select b, 19 from unnest(v_back) b;
  return coalesce(cardinality(v_back), 0);
end
$$;
