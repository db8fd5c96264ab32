-- The time that a filter says: a timestamp, or a number of seconds ago by the database's clock. Takes no locks.
create or replace function howdah.filter_since(p_said jsonb) returns timestamptz
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return case jsonb_typeof(p_said)
    when 'number' then howdah.clock() - make_interval(secs => (p_said #>> '{}')::double precision)
    when 'string' then (p_said #>> '{}')::timestamptz
  end;
end
$$;
