-- Our tables, with how autovacuum looks after each: vacuum_at is how many dead rows make it come,
-- unvacuumed_s for how long it has not, at most since the start of the server.
-- Locks: each table for a moment in access share mode, to ask for its size.
select
  c.relname::text as name,
  c.relpersistence = 'u' as unlogged,
  coalesce(o.autovacuum_enabled, true) as autovacuum,
  coalesce(s.n_live_tup, 0) as live,
  coalesce(s.n_dead_tup, 0) as dead,
  coalesce(o.threshold, current_setting('autovacuum_vacuum_threshold')::double precision)
    + coalesce(o.scale, current_setting('autovacuum_vacuum_scale_factor')::double precision) * greatest(c.reltuples, 0) as vacuum_at,
  extract(epoch from clock_timestamp() - coalesce(greatest(s.last_vacuum, s.last_autovacuum), pg_postmaster_start_time()))::double precision as unvacuumed_s,
  coalesce(pg_total_relation_size(c.oid), 0) as bytes
from pg_class c
left join pg_stat_all_tables s on s.relid = c.oid
cross join lateral (
  select bool_and(p.option_value::boolean) filter (where p.option_name = 'autovacuum_enabled') as autovacuum_enabled,
    max(p.option_value::double precision) filter (where p.option_name = 'autovacuum_vacuum_threshold') as threshold,
    max(p.option_value::double precision) filter (where p.option_name = 'autovacuum_vacuum_scale_factor') as scale
  from pg_options_to_table(c.reloptions) p
) o
where c.relnamespace = (select n.oid from pg_namespace n where n.nspname = 'howdah') and c.relkind = 'r'
order by c.relname;
