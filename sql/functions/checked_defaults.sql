-- The defaults of a task, refused where they could not be used later: what cannot be enqueued at the end of a run would
-- stop everybody's settling. Takes no locks.
create or replace function howdah.checked_defaults(p_name text, p_defaults jsonb) returns jsonb
  language plpgsql immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(p_defaults) is distinct from 'object' then
    raise exception 'the defaults of % must be an object', p_name using errcode = '22023';
  end if;
  if p_defaults ? 'on_failure' and not coalesce(
    jsonb_typeof(p_defaults #> '{on_failure,task}') = 'string' and length(p_defaults #>> '{on_failure,task}') between 1 and 200
    and jsonb_typeof(p_defaults #> '{on_failure,parameter}') = 'string', false) then
    raise exception 'on_failure of % must be {"task": ..., "parameter": ...}', p_name using errcode = '22023';
  end if;
  if p_defaults ? 'placement' then
    perform howdah.checked_placement(p_name, p_defaults -> 'placement');
  end if;
  if p_defaults ? 'debounce' and not coalesce(
    jsonb_typeof(p_defaults #> '{debounce,wait}') = 'number' and (p_defaults #>> '{debounce,wait}')::double precision > 0, false) then
    raise exception 'debounce of % must be {"wait": seconds, ...}', p_name using errcode = '22023';
  end if;
  return p_defaults;
end
$$;
