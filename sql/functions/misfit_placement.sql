-- Where a run may go that was a misfit (flag 1024): where its placement lets it, and of those nodes only where another definition of its
-- task is than those that have refused it. refused: their hashes. gate_places() knows which nodes that are. Takes no locks.
create or replace function howdah.misfit_placement(p_placement jsonb, p_task int, p_run bigint) returns jsonb
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
begin
  return coalesce(p_placement, '{}') || jsonb_build_object('task', p_task, 'refused', (
    select coalesce(jsonb_agg(distinct coalesce(v.data ->> 'hash', '')), '[]') from howdah.event v
    where v.task = p_task and v.run = p_run and v.kind = 7
  ));
end
$$;
