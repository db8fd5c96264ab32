-- The lowest id that a run enqueued at or after this time can have: found by halving its day, because ids and times ascend
-- together but for the statements that were under way at once, for which ten seconds are left. Takes no locks.
create or replace function howdah.first_since(p_since timestamptz) returns bigint
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_since timestamptz := p_since - interval '10 seconds';
  v_low bigint := greatest(0, floor(extract(epoch from v_since) / 86400)::bigint - 18262) << 40;
  v_high bigint;
  v_middle bigint;
  v_at timestamptz;
  v_id bigint;
begin
  select max(r.id) into v_high from howdah.run r where r.id >= v_low and r.id < v_low + (1::bigint << 40);
  -- Holes are stepped over by taking the next run there is.
  while v_high - v_low > 64 loop
    v_middle := v_low + (v_high - v_low) / 2;
    select r.id, r.at into v_id, v_at from howdah.run r where r.id >= v_middle and r.id <= v_high order by r.id limit 1;
    if v_at >= v_since then
      v_high := v_middle - 1;
    else
      v_low := v_id;
    end if;
  end loop;
  return v_low;
end
$$;
