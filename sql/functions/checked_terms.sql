-- What somebody wants a limit to allow live, or one of its keys, as the gate reads it; null where that is asked for.
-- 22023: there is no such limit, the key is too long, or the terms are none of this kind of limit. Takes no locks.
create or replace function howdah.checked_terms(p_name text, p_terms jsonb, p_key text) returns jsonb
  language plpgsql stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_kind text := (select l.kind from howdah.limit_terms l where l.name = p_name);
  v_key_max int := 200;
  v_rate boolean := p_terms ?| '{per_s,burst}';
begin
  if v_kind is null then
    raise exception 'there is no limit %', coalesce(p_name, 'null')
      using errcode = '22023', hint = 'howdah.limits lists those that are known: a node makes those of its tasks known when it starts.';
  elsif length(p_key) > v_key_max then
    raise exception 'a key of limit % has at most % characters, and this one has %', p_name, v_key_max, length(p_key) using errcode = '22023';
  elsif p_terms is null or jsonb_typeof(p_terms) = 'null' then
    return null;
  elsif jsonb_typeof(p_terms) <> 'object' or v_rate and p_terms ? 'number' then
    raise exception 'what limit % allows is an object, and this is %', p_name, p_terms
      using errcode = '22023', hint = 'For example {"number": 5} for a limit, and {"per_s": 1.5, "burst": 20} for a rate.';
  elsif v_kind = 'breaker' then
    raise exception '% is a breaker: when it opens is said in the code alone', p_name
      using errcode = '22023', hint = 'To let nothing start, pause it: select howdah.pause_limit(...);';
  elsif v_kind = 'limit' and v_rate then
    raise exception '% is a limit and no rate: it has no period', p_name using errcode = '22023', hint = 'Say how many at once: {"number": 5}.';
  elsif v_kind = 'rate' and not v_rate then
    raise exception '% is a rate and no limit: it has a period', p_name
      using errcode = '22023', hint = 'Say how often: {"per_s": 1.5, "burst": 20}, in Python as in jobs.limits.set(''smtp'', 100, per=''1m'').';
  elsif v_kind = 'limit' and (p_terms - 'number' <> '{}' or not howdah.is_count(p_terms -> 'number')) then
    raise exception 'limit % cannot allow %: a number is a whole one from 1 to 2147483647', p_name, p_terms
      using errcode = '22023', hint = 'To let nothing start, pause it: select howdah.pause_limit(...);';
  elsif v_kind = 'rate' and (p_terms - '{per_s,burst}'::text[] <> '{}' or not howdah.is_count(p_terms -> 'burst')
                             or jsonb_typeof(p_terms -> 'per_s') is distinct from 'number' or (p_terms ->> 'per_s')::numeric <= 0
                             or (p_terms ->> 'per_s')::numeric > 1e12) then
    raise exception 'rate % cannot allow %: per_s is a number above 0, burst a whole one from 1 to 2147483647', p_name, p_terms
      using errcode = '22023', hint = 'To let nothing start, pause it: select howdah.pause_limit(...);';
  end if;
  return p_terms;
end
$$;
