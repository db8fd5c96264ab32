-- A parent that succeeded has each of its children once, and a child belongs to its parent.
select r.id as run, format('%s children instead of %s', count(c.id), r.args ->> 'children') as said
from howdah.run r
join howdah.task t on t.id = r.task and t.name = 'parent'
join howdah.event e on e.run = r.id and e.task = r.task and e.kind = 1
left join howdah.run c on c.parent = r.id
group by r.id, r.args ->> 'children' having count(c.id) <> (r.args ->> 'children')::int or count(distinct c.args ->> 'mark') <> count(c.id)
