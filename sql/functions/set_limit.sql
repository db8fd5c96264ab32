-- Sets what a limit allows from now on, or one of its keys, whatever the code says of it: {"number": 5} for a limit,
-- {"per_s": 1.5, "burst": 20} for a rate. Null: what the code says holds again, or for a key what holds for its limit. It stays until
-- then, whichever nodes start meanwhile. A breaker that is open is closed by null. The gate goes by it for what it admits next: nothing
-- that runs is stopped.
-- 22023: there is no such limit, or it cannot have these terms. Locks: rows of breaker, then the row of the limit, or of the key.
create or replace function howdah.set_limit(name text, terms jsonb, key text default null) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
  terms := howdah.checked_terms(name, terms, key);
  if terms is null then
    delete from howdah.breaker b where b.name = set_limit.name and (set_limit.key is null or b.key = set_limit.key);
  end if;
  if key is null then
    update howdah.limit_terms l set terms = set_limit.terms, changed = howdah.clock() where l.name = set_limit.name;
  elsif terms is null then
    update howdah.limit_key k set terms = null where k.name = set_limit.name and k.key = set_limit.key;
    delete from howdah.limit_key k where k.name = set_limit.name and k.key = set_limit.key and not k.paused and k.blocked is null;
  else
    insert into howdah.limit_key as k (name, key, terms) values (name, key, terms)
    on conflict on constraint limit_key_pkey do update set terms = excluded.terms;
  end if;
  perform howdah.tell('howdah_gate', 'terms');
end
$$;
