-- Transactions of this database that are older than $1 seconds, and so keep dead rows from being removed. Those of other roles are
-- seen by members of pg_read_all_stats alone. The gate's seat is one that reads nothing, and keeps nothing from being removed. Takes no
-- locks.
select a.pid, a.usename::text as role, a.application_name as application, starts_with(a.state, 'idle in transaction') as idle,
  extract(epoch from clock_timestamp() - a.xact_start)::double precision as age_s
from pg_stat_activity a
where a.datname = current_database() and a.backend_type = 'client backend' and a.pid <> pg_backend_pid()
  and not (starts_with(a.application_name, 'howdah seat ') and a.backend_xmin is null)
  and a.xact_start < clock_timestamp() - make_interval(secs => $1)
order by a.xact_start limit $2;
