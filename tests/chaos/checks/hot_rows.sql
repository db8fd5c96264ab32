-- When all is over nothing is pending: no hot row, no effect that nobody settled, no key of an ended run, no node.
select j.id as run, format('a hot row is left over: %s', to_jsonb(j)) as said from howdah.job j
union all select t.id, format('a timer is left over: %s', to_jsonb(t)) from howdah.timer t
union all select m.id, format('a misfit is left over: %s', to_jsonb(m)) from howdah.misfit m
union all select i.run, format('an effect was not settled: %s', i.what) from howdah.inbox i
union all select h.run, format('a key is held by a run that has ended: %s', h.key) from howdah.held_key h where h.until is null and h.owner = h.run
union all select n.id, format('a node is still listed: %s', n.name) from howdah.node n
union all select r.id, 'a run has no day' from howdah.run_default r
union all select e.run, 'an event has no day' from howdah.event_default e
