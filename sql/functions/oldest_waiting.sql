-- Since when the oldest run of each line (queue, task) waits for a claim: one probe for each priority in it. A line whose first
-- ten thousand runs are all claimed is left out. Takes no locks.
create or replace function howdah.oldest_waiting() returns table (queue int, task int, run bigint, since timestamptz)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_walk_max int := 10000;
begin
  return query
  with head as materialized (
    select l.queue, l.task, min(h.id) as run
    from howdah.pending_lines(null, null) l
    cross join lateral (
      (select x.id from (
         select j.id, j.lease from howdah.job j
         where not l.suspect and j.crashes < 2 and j.queue = l.queue and j.task = l.task and (j.line is null) = l.free and j.priority = l.priority
         order by j.id limit v_walk_max
       ) x where x.lease is null limit 1)
      union all
      (select x.id from (
         select j.id, j.lease from howdah.job j
         where l.suspect and j.crashes >= 2 and j.queue = l.queue and j.task = l.task and j.priority = l.priority
         order by j.id limit v_walk_max
       ) x where x.lease is null limit 1)
    ) h
    group by l.queue, l.task
  )
  select h.queue, h.task, h.run, r.at
  from head h cross join lateral (select r.at from howdah.run r where r.id = h.run offset 0) r;
end
$$;
