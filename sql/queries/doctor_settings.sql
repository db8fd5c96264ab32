-- Settings as they are in force in this session, and where each comes from: as pg_settings says it, and the same for howdah.shift,
-- which pg_settings does not list. Takes no locks.
select s.name, s.setting, s.source from pg_settings s where s.name = any($1)
union all
select 'howdah.shift', current_setting('howdah.shift', true), coalesce((
  select case when o.setrole <> 0 and o.setdatabase <> 0 then 'database user' when o.setrole <> 0 then 'user' when o.setdatabase <> 0 then 'database' else 'global' end
  from pg_db_role_setting o
  where o.setdatabase in (0, (select d.oid from pg_database d where d.datname = current_database()))
    and o.setrole in (0, (select r.oid from pg_roles r where r.rolname = current_user))
    and exists (select from unnest(o.setconfig) c where starts_with(c, 'howdah.shift='))
  order by o.setrole <> 0 desc, o.setdatabase <> 0 desc limit 1
), 'client')
where current_setting('howdah.shift', true) <> '';
