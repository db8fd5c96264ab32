-- Replication slots that nobody reads, for more than $1 seconds where the server knows since when (17 and later), with the bytes of log
-- that each keeps. Takes no locks.
select s.slot_name::text as slot, s.slot_type as kind, s.xmin is not null or s.catalog_xmin is not null as holds_rows,
  case when not pg_is_in_recovery() then pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::bigint end as bytes
from pg_replication_slots s
where not s.active
  and coalesce((to_jsonb(s) ->> 'inactive_since')::timestamptz < clock_timestamp() - make_interval(secs => $1), true)
order by s.slot_name limit $2;
