-- Writes down what the gate knows of the keys of some breakers, before it admits by it: who takes over goes on from there. A closed one
-- without failures is forgotten. Moments are Unix time. HW004: another node has taken the gate.
-- Locks: the gate's row for share; rows of breaker, by name and key.
create or replace function howdah.gate_note_breakers(
  p_epoch bigint, p_names text[], p_keys text[], p_ends text[], p_opened double precision[], p_until double precision[]
) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
begin
  perform 1 from howdah.gate g where g.epoch = p_epoch for share;
  if not found then
    raise exception 'the gate is held by another node since epoch %', p_epoch using errcode = 'HW004', hint = 'The node waits for its turn.';
  end if;
  insert into howdah.breaker as b (name, key, ends, opened, until)
  select u.name, u.key, u.ends, to_timestamp(u.opened), to_timestamp(u.until)
  from unnest(p_names, p_keys, p_ends, p_opened, p_until) u(name, key, ends, opened, until) order by u.name, u.key
  on conflict on constraint breaker_pkey do update set ends = excluded.ends, opened = excluded.opened, until = excluded.until;
  delete from howdah.breaker b using unnest(p_names, p_keys, p_ends, p_until) u(name, key, ends, until)
  where b.name = u.name and b.key = u.key and u.until is null and u.ends not like '%f%';
end
$$;
