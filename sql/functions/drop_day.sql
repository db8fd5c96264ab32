-- Ends the retention of one day. Without living runs its partitions are dropped; with some, their rows are
-- carried over into small tables (run_dN_kept, event_dN_kept) that replace the day. True if anything changed. A day that
-- is not over is refused: a node's role may call this.
-- Locks: advisory (another that tends: false), access exclusive on the day's partitions, then on run and event for the moment
-- of the exchange; gives up with 55P03 after a tenth of a second, since claims queue up behind it: come back later.
create or replace function howdah.drop_day(p_day int) returns boolean
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '100ms'
as $$
declare
  v_low bigint := p_day::bigint << 40;
  v_high bigint := (p_day::bigint + 1) << 40;
  v_kept boolean := to_regclass(format('howdah.run_d%s_kept', p_day)) is not null;
  v_suffix text := case when v_kept then '_kept' else '' end;
  v_living bigint[];
begin
  if p_day >= (howdah.day_base() >> 40)::int then
    raise exception 'day % is not over: history is kept for at least a day', p_day using errcode = '22023';
  end if;
  if not pg_try_advisory_xact_lock(7738135626411) then
    return false;
  end if;
  if not v_kept and to_regclass(format('howdah.run_d%s', p_day)) is null then
    return false;
  end if;
  execute format('lock table howdah.run_d%s%s, howdah.event_d%s%s in access exclusive mode', p_day, v_suffix, p_day, v_suffix);
  select array_agg(x.id) into v_living from (
    select j.id from howdah.job j where j.id >= v_low and j.id < v_high
    union all select t.id from howdah.timer t where t.id >= v_low and t.id < v_high
    union all select m.id from howdah.misfit m where m.id >= v_low and m.id < v_high
  ) x;
  if v_living is not null and v_kept then
    return false;
  end if;
  if v_living is not null then
    execute format('create table howdah.run_d%s_kept (like howdah.run including all)', p_day);
    execute format('create table howdah.event_d%s_kept (like howdah.event including all)', p_day);
    execute format('insert into howdah.run_d%s_kept select * from howdah.run_d%s where id = any($1)', p_day, p_day) using v_living;
    execute format('insert into howdah.event_d%s_kept select * from howdah.event_d%s where run = any($1)', p_day, p_day) using v_living;
  end if;
  execute format('drop table howdah.run_d%s%s', p_day, v_suffix);
  execute format('drop table howdah.event_d%s%s', p_day, v_suffix);
  if v_living is not null then
    execute format('alter table howdah.run attach partition howdah.run_d%s_kept for values from (%s) to (%s)', p_day, v_low, v_high);
    execute format('alter table howdah.event attach partition howdah.event_d%s_kept for values from (%s) to (%s)', p_day, v_low, v_high);
  end if;
  return true;
end
$$;
