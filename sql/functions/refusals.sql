-- The sets of definitions that misfits of a line have been refused by: few, however many misfits there are, and found by one
-- index probe each. Takes no locks.
create or replace function howdah.refusals(p_queue int, p_task int) returns setof text[]
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_last text[] := '{}';
begin
  loop
    select m.hashes into v_last from howdah.misfit m
    where m.queue = p_queue and m.task = p_task and m.hashes > v_last order by m.hashes limit 1;
    exit when not found;
    return next v_last;
  end loop;
end
$$;
