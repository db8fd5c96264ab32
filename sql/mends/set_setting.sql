-- Sets a setting for the whole server, from now on.
alter system set :setting = :'value';
select pg_reload_conf();
