-- For how many seconds more each of these keys of rates is closed, by the clock of the database; those that are not are left out.
-- What the gate asks when it hears that some were closed (close_buckets). One index probe for each. Takes no locks.
create or replace function howdah.gate_closed(p_names text[], p_keys text[]) returns table (name text, key text, left_s double precision)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  select b.name, b.key, date_part('epoch', b.closed - howdah.clock())
  from unnest(p_names, p_keys) u(name, key) join howdah.bucket b on b.name = u.name and b.key = u.key
  where b.closed > howdah.clock();
end
$$;
