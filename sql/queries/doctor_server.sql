-- The server, this session in it, and how near the server is to its limits. Everybody may ask. Takes no locks.
select
  current_setting('server_version_num')::int as version,
  current_setting('server_version') as version_text,
  clock_timestamp() as clock,
  current_database()::text as database,
  current_user::text as role,
  pg_is_in_recovery() as in_recovery,
  host(inet_server_addr()) as host,
  inet_server_port() as port,
  pg_backend_pid() as pid,
  pg_postmaster_start_time() as started,
  (select d.oid::bigint from pg_database d where d.datname = current_database()) as database_id,
  (select sum(s.numbackends) from pg_stat_database s)::bigint as connections,
  pg_notification_queue_usage() as notifications,
  pg_has_role('pg_read_all_stats', 'usage') as sees_sessions;
