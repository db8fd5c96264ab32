-- The names that a filter says as one text or as a list of texts. Takes no locks.
create or replace function howdah.filter_names(p_said jsonb) returns text[]
  language plpgsql immutable security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return case jsonb_typeof(p_said)
    when 'array' then array(select jsonb_array_elements_text(p_said))
    when 'string' then array[p_said #>> '{}']
  end;
end
$$;
