-- What goes on now, in one look from one snapshot: the busiest queues behind their sum ($1 of them), nodes ($2), runs that are held ($3).
-- See functions/busy_queues.sql, functions/held_runs.sql, views/nodes.sql.
select
  howdah.clock() as at,
  current_database()::text as database,
  (select count(*) from howdah.queue) as known,
  (select json_agg(q) from (
    select b.*, exists (select from howdah.paused h where h.queue = (select k.id from howdah.queue k where k.name = b.queue)) as paused
    from howdah.busy_queues($1) b
  ) q) as queues,
  (select json_agg(t.name) from (
    select k.name from howdah.paused h join howdah.task k on k.id = h.task order by k.name limit $1
  ) t) as paused_tasks,
  (select json_agg(o) from (
    select b.name, b.key, extract(epoch from howdah.clock() - b.opened)::double precision as open_s,
      extract(epoch from b.until - howdah.clock())::double precision as probe_s
    from howdah.breaker b where b.until is not null order by b.opened, b.name, b.key limit $1
  ) o) as open_breakers,
  (select json_build_object('alive', count(*) filter (where n.alive), 'silent', count(*) filter (where not n.alive), 'told', count(n.ordered)) from howdah.nodes n) as fleet,
  (select json_agg(n) from (
    select s.name, s.host, s.pid, s.version, s.alive, s.ordered, s.queues, cardinality(s.tasks) as tasks,
      extract(epoch from howdah.clock() - s.started_at)::double precision as up_s, extract(epoch from howdah.clock() - s.renewed_at)::double precision as renewed_s
    from howdah.nodes s order by s.alive, s.ordered is null, s.name, s.id limit $2
  ) n) as nodes,
  (select json_agg(r) from (
    select h.run, h.task, h.queue, h.node, h.attempt, h.stopping, h.progress,
      extract(epoch from howdah.clock() - h.enqueued_at)::double precision as age_s, extract(epoch from howdah.clock() - h.reported_at)::double precision as reported_s
    from howdah.held_runs($3) h
  ) r) as runs;
