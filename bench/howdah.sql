-- What the benchmarks ask of a howdah database from outside.

-- name: pending
-- By the index, whose dead entries are marked: a look at the table reads all that is dead, a fifth of the server's time.
select (select id from howdah.job order by id limit 1) is not null

-- name: newest
select coalesce(max(id), 0) from howdah.run

-- name: verdict
select (select count(*) from howdah.job) as left_over, (select count(*) from howdah.event where run >= $1) as history,
  (select count(*) from howdah.stale_event) as stale

-- name: calls
select coalesce(sum(s.calls), 0)::bigint from pg_stat_statements s join pg_database d on d.oid = s.dbid where d.datname = $1

-- name: callers
select s.query, s.calls from pg_stat_statements s join pg_database d on d.oid = s.dbid where d.datname = $1 order by s.calls desc

-- name: images
select coalesce(sum(fpi_size), 0)::bigint from pg_get_wal_stats($1::text::pg_lsn, $2::text::pg_lsn)

-- name: ended
select count(*) from howdah.event
