-- The part of submit() for runs that are enqueued once: for each of p_ids the run that holds its key, itself where it was
-- free, and the flags of the runs to be made. Keys: unique_key; or the arguments in the canonical form of jsonb
-- (unique_args); or child, a key within the parent. Locks: those of hold_keys().
create or replace function howdah.submit_once(p_task int, p_ids bigint[], p_args text[], p_options jsonb, p_parent bigint, p_flags smallint)
  returns table (ids bigint[], flags smallint)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_keys text[];
begin
  flags := p_flags;
  if length(coalesce(p_options ->> 'child', p_options ->> 'unique_key')) > 500 then
    raise exception 'a key has % characters and not at most 500', length(coalesce(p_options ->> 'child', p_options ->> 'unique_key'))
      using errcode = '22023', hint = 'Take a digest of it.';
  end if;
  if p_options ? 'child' then
    if p_parent is null then
      raise exception 'child=% needs a parent', p_options ->> 'child'
        using errcode = '22023', hint = 'Enqueue inside of a run, or pass parent.';
    end if;
    v_keys := array(select 'child ' || p_parent || ' ' || (p_options ->> 'child') from unnest(p_ids));
    ids := howdah.hold_keys(p_task, v_keys, p_ids, p_parent, null);
  else
    v_keys := array(
      select case when p_options ? 'unique_key' then 'key ' || (p_options ->> 'unique_key')
                  else 'args ' || encode(sha256(convert_to(a::jsonb::text, 'UTF8')), 'hex') end
      from unnest(p_args) with ordinality u(a, n) order by n);
    ids := howdah.hold_keys(p_task, v_keys, p_ids, null, howdah.clock() + make_interval(secs => (p_options ->> 'unique_for')::double precision));
    if not p_options ? 'unique_for' then
      flags := p_flags | 8;
    end if;
  end if;
  return next;
end
$$;
