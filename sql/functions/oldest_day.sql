-- The number of the oldest day that there are partitions of. Takes no locks.
create or replace function howdah.oldest_day() returns int
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select min(substring(c.relname from '^run_d(\d+)')::int)
    from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'howdah.run'::regclass
  );
end
$$;
