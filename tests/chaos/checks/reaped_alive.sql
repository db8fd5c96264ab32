-- Only what a dead node held is reaped: its lease had run out.
select e.run, format('reaped at %s, while the lease of node %s lasted until %s', e.at, e.node, g.until) as said
from howdah.event e
join chaos.gone g on g.node = e.node
where e.kind in (19, 22) and g.until > g.at
