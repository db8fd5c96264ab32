-- Cancels the pending children of cancelled runs, save those that were enqueued with on_parent_cancel 'keep'. Their own
-- children follow when their ends are settled. Children are younger than their parents: older days are not looked at.
-- Locks: those of cancel().
create or replace function howdah.cancel_children(p_parents bigint[]) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_children bigint[];
begin
  select array_agg(r.id) into v_children
  from howdah.run r
  where r.parent = any(p_parents) and r.id > (select min(p) from unnest(p_parents) p)
    and r.options ->> 'on_parent_cancel' is distinct from 'keep' and howdah.is_pending(r.id);
  if v_children is not null then
    perform howdah.cancel(v_children, 'its parent was cancelled');
  end if;
end
$$;
