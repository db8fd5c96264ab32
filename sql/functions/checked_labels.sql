-- The labels of a node, refused where they are none: an object of at most 64 texts, numbers and truth values, each name of 1 to 200
-- characters and each text of at most 200. Takes no locks.
create or replace function howdah.checked_labels(p_labels jsonb) returns jsonb
  language plpgsql immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_wrong text;
begin
  if jsonb_typeof(p_labels) is distinct from 'object' or (select count(*) from jsonb_object_keys(p_labels)) > 64 then
    raise exception 'the labels of a node are an object of at most 64 names and values' using errcode = '22023';
  end if;
  select l.key into v_wrong from jsonb_each(p_labels) l
  where length(l.key) not between 1 and 200 or jsonb_typeof(l.value) not in ('string', 'number', 'boolean') or length(l.value #>> '{}') > 200 limit 1;
  if found then
    raise exception 'the label % is no text, number or truth value of at most 200 characters', left(v_wrong, 200) using errcode = '22023';
  end if;
  return p_labels;
end
$$;
