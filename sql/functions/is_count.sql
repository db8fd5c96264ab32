-- Whether a json value is a whole number from 1 to what an integer holds. False for null. Takes no locks.
create or replace function howdah.is_count(p_value jsonb) returns boolean
  language sql immutable parallel safe
  set search_path = pg_catalog, pg_temp
  return case when jsonb_typeof(p_value) = 'number' then p_value::numeric between 1 and 2147483647 and p_value::numeric % 1 = 0 else false end;
