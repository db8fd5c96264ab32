-- Only accepted events are in event: one outcome for each lease, of an attempt that was made under it; what was refused as
-- stale is not there, and what was refused as a resend has its original there. What a child process does not survive, it may not
-- have begun; what is handed back, misfits or is stopped had not begun either.
select e.run, format('lease %s of node %s has %s outcomes', e.lease, e.node, count(*)) as said
from howdah.event e where e.kind < 16 group by e.run, e.lease, e.node having count(*) > 1
union all
select e.run, format('an outcome (%s) was accepted of lease %s of node %s, under which nothing began', e.kind, e.lease, e.node)
from howdah.event e
join howdah.task t on t.id = e.task
left join chaos.attempt a on a.run = e.run and a.lease = e.lease and a.node = e.node
where e.kind in (1, 2, 4) and a.run is null and (e.kind = 1 or t.name <> 'apart')
union all
select s.run, format('what was refused as stale of lease %s of node %s is accepted as well', s.lease, s.node)
from howdah.stale_event s
join howdah.event e on e.run = s.run and e.lease = s.lease and e.node = s.node and e.kind < 16
where s.verdict = 'stale'
union all
select s.run, format('what was refused as a resend of lease %s of node %s has no original', s.lease, s.node)
from howdah.stale_event s
left join howdah.event e on e.run = s.run and e.lease = s.lease and e.node = s.node and e.kind < 16
where s.verdict = 'duplicate' and e.run is null
