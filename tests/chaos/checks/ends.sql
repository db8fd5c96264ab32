-- Every run ends as its task says: nothing fails, is lost or quarantined that had no reason to.
select x.run, format('a run of %s ended as %s', x.task, x.state) as said
from (
  select e.run, t.name as task, k.state
  from howdah.event e join howdah.kind k on k.id = e.kind and k.final join howdah.task t on t.id = e.task
  where e.kind <> 1
) x
where not (
  (x.task = 'once' and x.state in ('lost', 'failed')) or (x.task in ('patient', 'child', 'narrow', 'ordered', 'held', 'shared', 'newest', 'wide') and x.state = 'cancelled')
  or (x.task = 'ordered' and x.state = 'failed') or (x.task = 'murder' and x.state = 'quarantined')
)
