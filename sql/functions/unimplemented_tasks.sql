-- Tasks with waiting runs that no living node implements, and since when: two index probes per task and queue (runs with limits apart), under
-- plan guards, which a view alone would not have. The view howdah.unimplemented is its public face. Takes no locks.
create or replace function howdah.unimplemented_tasks() returns table (task text, queue text, since timestamptz, first_run bigint)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select t.name, q.name, (select r.at from howdah.run r where r.id = w.run), w.run
  from howdah.task t
  cross join howdah.queue q
  cross join (values (true), (false)) s(free)
  cross join lateral (
    select j.id as run from howdah.job j
    where j.queue = q.id and j.task = t.id and (j.line is null) = s.free and j.lease is null and j.crashes < 2 order by j.priority, j.id limit 1
  ) w
  where not exists (
    select from howdah.node n
    where n.until > howdah.clock() and t.id = any(n.tasks) and (n.queues is null or q.id = any(n.queues))
  );
end
$$;
