-- Makes the partitions of one day: run_dN and event_dN with its hash partitions. True if they were missing.
-- Rows that came before their day was made wait in the default partitions and move in first.
-- Locks: share update exclusive on run and event, access exclusive on their default partitions; give up with
-- 55P03 under the caller's lock_timeout and come back later.
create or replace function howdah.add_day(p_day int, p_hashes int) returns boolean
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_low bigint := p_day::bigint << 40;
  v_high bigint := (p_day::bigint + 1) << 40;
begin
  if to_regclass(format('howdah.run_d%s', p_day)) is not null or to_regclass(format('howdah.run_d%s_kept', p_day)) is not null then
    return false;
  end if;
  lock table howdah.run_default, howdah.event_default in access exclusive mode;
  execute format('create table howdah.run_d%s (like howdah.run including all)', p_day);
  execute format('create table howdah.event_d%s (like howdah.event including all) partition by hash (run)', p_day);
  for i in 0 .. p_hashes - 1 loop
    execute format('create table howdah.event_d%s_h%s partition of howdah.event_d%s for values with (modulus %s, remainder %s)',
                   p_day, i, p_day, p_hashes, i);
  end loop;
  execute format('with moved as (delete from howdah.run_default where id >= %s and id < %s returning *)
                  insert into howdah.run_d%s select * from moved', v_low, v_high, p_day);
  execute format('with moved as (delete from howdah.event_default where run >= %s and run < %s returning *)
                  insert into howdah.event_d%s select * from moved', v_low, v_high, p_day);
  execute format('alter table howdah.run attach partition howdah.run_d%s for values from (%s) to (%s)', p_day, v_low, v_high);
  execute format('alter table howdah.event attach partition howdah.event_d%s for values from (%s) to (%s)', p_day, v_low, v_high);
  return true;
end
$$;
