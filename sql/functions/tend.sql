-- Makes the partitions of today and of the days ahead. Safe on any node, at any time, twice: one works, the others pass.
-- Partitions follow the real clock. Old days are another matter, and another transaction: see old_days().
-- Answers how many days were made, and how many rows have no day (more than 0 is worth a look).
-- Locks: advisory, then those of add_day, waited for at most two seconds.
create or replace function howdah.tend(p_ahead_days int, p_hashes int) returns table (made int, homeless bigint)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_today int := (howdah.day_base() >> 40)::int;
begin
  made := 0;
  homeless := 0;
  if pg_try_advisory_xact_lock(7738135626411) then
    for d in v_today .. v_today + p_ahead_days loop
      made := made + howdah.add_day(d, p_hashes)::int;
    end loop;
    -- Only by the one that works: it holds the default partitions locked while it makes a day.
    homeless := (select count(*) from howdah.run_default) + (select count(*) from howdah.event_default);
  end if;
  return next;
end
$$;
