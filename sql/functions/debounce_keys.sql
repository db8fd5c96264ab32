-- The key by which an enqueue finds the run that waits for the next one of its kind, for each of p_args. p_spec: as the task or the
-- caller says of it: key (one for all of them), or path (to where it stands in the arguments, default: if it is left out there), or
-- asked (the producer gives it in p_keys, as "/debounce" of the object of each run), or none of these: one for the whole task.
-- 22023: a key is missing or too long. Takes no locks.
create or replace function howdah.debounce_keys(p_task text, p_spec jsonb, p_args text[], p_keys text[]) returns text[]
  language plpgsql immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_path text[] := array(select jsonb_array_elements_text(p_spec -> 'path'));
  v_max int := 500;
  v_keys text[];
begin
  if p_spec ? 'key' then
    v_keys := array_fill(p_spec ->> 'key', array[cardinality(p_args)]);
  elsif p_spec ? 'path' then
    v_keys := array(
      select coalesce(u.args::jsonb #>> v_path, p_spec ->> 'default') from unnest(p_args) with ordinality u(args, n) order by u.n);
  elsif p_spec ? 'asked' then
    v_keys := array(
      select u.keys::jsonb ->> '/debounce' from unnest(p_args, p_keys) with ordinality u(args, keys, n) order by u.n);
  else
    v_keys := array_fill(''::text, array[cardinality(p_args)]);
  end if;
  if array_position(v_keys, null) is not null and p_spec ? 'path' then
    raise exception 'the debounce of % has no key here: the arguments have no %', p_task, array_to_string(v_path, '.')
      using errcode = '22023', hint = 'Give the argument a value, or say debounce_key.';
  elsif array_position(v_keys, null) is not null then
    raise exception 'the debounce of % has a key that its function in Python works out, and nobody gave it', p_task
      using errcode = '22023', hint = format('Give it: select howdah.enqueue(%L, ..., debounce_key => ''1'');', p_task);
  elsif exists (select from unnest(v_keys) k where length(k) > v_max) then
    raise exception 'a debounce key of % has more than % characters', p_task, v_max using errcode = '22023', hint = 'Take a digest of it.';
  end if;
  return v_keys;
end
$$;
