-- What is known of the keys of breakers, for a gate that takes over; moments are Unix time of the database. Takes no locks.
create or replace function howdah.gate_breakers()
  returns table (name text, key text, ends text, opened double precision, until double precision)
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
  begin atomic
    select b.name, b.key, b.ends, date_part('epoch', b.opened), date_part('epoch', b.until) from howdah.breaker b;
  end;
