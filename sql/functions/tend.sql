-- Looks after partitions: makes those of today and of the days ahead, ends the retention of old ones, one at a time.
-- Safe on any node, at any time, twice: one works, the others pass. Partitions follow the real clock.
-- Answers how many days were made and dropped, and how many rows have no day (more than 0 is worth a look).
-- Locks: those of add_day and drop_day, waited for at most two seconds.
create or replace function howdah.tend(p_keep_days int, p_ahead_days int, p_hashes int)
  returns table (made int, dropped int, homeless bigint)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_today int := (howdah.day_base() >> 40)::int;
  v_day int;
begin
  made := 0;
  dropped := 0;
  homeless := 0;
  if p_keep_days is null or p_keep_days < 1 then
    raise exception 'history is kept for at least a day, not for %', coalesce(p_keep_days::text, 'null') using errcode = '22023';
  end if;
  if pg_try_advisory_xact_lock(7738135626411) then
    for d in v_today .. v_today + p_ahead_days loop
      made := made + howdah.add_day(d, p_hashes)::int;
    end loop;
    for v_day in
      select distinct substring(c.relname from '^run_d(\d+)')::int
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'howdah.run'::regclass and c.relname ~ '^run_d\d+(_kept)?$'
        and substring(c.relname from '^run_d(\d+)')::int < v_today - p_keep_days
      order by 1
    loop
      dropped := dropped + howdah.drop_day(v_day)::int;
    end loop;
    -- Only by the one that works: it holds the default partitions locked while it makes a day.
    homeless := (select count(*) from howdah.run_default) + (select count(*) from howdah.event_default);
  end if;
  return next;
end
$$;
