-- Which history of the database this is: that of this cluster, on this timeline, in this database and with these tables. A standby
-- that became the primary, a backup and a dump that were restored, and a copy of the database each begin another one: what the
-- old one promised since then did not happen there. Empty where it may not be known. Takes no locks.
create or replace function howdah.world() returns text
  language plpgsql stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if pg_is_in_recovery() then
    return '';  -- Nothing can be written here yet, and who tries hears of that.
  end if;
  return (select c.system_identifier from pg_control_system() c) || ' ' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
    || ' ' || (select d.oid from pg_database d where d.datname = current_database()) || ' ' || 'howdah.node'::regclass::oid;
exception when insufficient_privilege or feature_not_supported then
  return '';
end
$$;
