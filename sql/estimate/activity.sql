-- What each connection to this database but this one does: by name, and whether it works, or waits for anything but its client. No locks.
select
  pid,
  application_name as name,
  state = 'active' and wait_event_type is distinct from 'Client' as busy
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend';
