-- Has no run start under a limit, or under one key of it, until it is resumed. What runs goes on, and so do enqueues; runs that wait
-- for other keys start. Said again it changes nothing. What the gate has admitted already starts still, within moments.
-- 22023: there is no such limit. Locks: the row of the limit, or of the key.
create or replace function howdah.pause_limit(name text, key text default null) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
  perform howdah.checked_terms(name, null, key);
  if key is null then
    update howdah.limit_terms l set paused = true, changed = howdah.clock() where l.name = pause_limit.name and not l.paused;
  else
    insert into howdah.limit_key as k (name, key, paused) values (name, key, true)
    on conflict on constraint limit_key_pkey do update set paused = true;
  end if;
  perform howdah.tell('howdah_gate', 'terms');
end
$$;
