-- Everything that is known of one run, in the order of time.
select at, what from (
  select r.at, format('enqueued: task %s, queue %s, args %s, options %s, parent %s', t.name, r.queue, r.args, r.options, r.parent) as what
  from howdah.run r join howdah.task t on t.id = r.task where r.id = $1
  union all select e.at, format('event %s under lease %s of node %s, started %s: %s', k.name, e.lease, e.node, e.started, left(e.data::text, 160))
  from howdah.event e join howdah.kind k on k.id = e.kind where e.run = $1
  union all select s.at, format('refused as %s: kind %s under lease %s of node %s', s.verdict, s.kind, s.lease, s.node)
  from howdah.stale_event s where s.run = $1
  union all select a.began, format('began under lease %s of node %s, attempt %s, in %s', a.lease, a.node, a.attempt, a.process)
  from chaos.attempt a where a.run = $1
  union all select a.ended, format('ended (%s) under lease %s of node %s', a.how, a.lease, a.node)
  from chaos.attempt a where a.run = $1 and a.ended is not null
  union all select f.at, format('its effect under lease %s of node %s', f.lease, f.node) from chaos.effect f where f.run = $1
  union all select p.at, format('%s was acknowledged', p.mark) from chaos.promise p where p.run = $1
  union all select c.at, format('its cancel was answered %s', c.answer) from chaos.cancel c where c.run = $1
  union all select g.at, format('node %s was taken off the list; its lease lasted until %s', g.node, g.until)
  from chaos.gone g where g.node in (select a.node from chaos.attempt a where a.run = $1)
  union all select f.began, format('%s %s %s, until %s', f.kind, f.variant, f.target, f.ended) from chaos.fault f
  where f.began between (select r.at - interval '5 s' from howdah.run r where r.id = $1)
    and (select coalesce(max(e.at), now()) + interval '5 s' from howdah.event e where e.run = $1)
) h order by at, what
