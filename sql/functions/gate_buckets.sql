-- What the keys of rates have left, and as of when (Unix time of the database), for a gate that takes over. Takes no locks.
create or replace function howdah.gate_buckets() returns table (name text, key text, level double precision, at double precision)
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
  begin atomic
    select b.name, b.key, b.level, date_part('epoch', b.at) from howdah.bucket b;
  end;
