-- Every enqueue that is committed ends: its run has a final event, and none that reopens it after that.
select r.id as run, format('a run of %s never ended', t.name) as said
from howdah.run r
join howdah.task t on t.id = r.task
left join (
  select e.run from howdah.event e join howdah.kind k on k.id = e.kind where k.final group by e.run
) ended on ended.run = r.id
where ended.run is null
