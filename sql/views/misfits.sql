-- Runs whose arguments fit no definition that has tried them, with what does not fit: they wait for a node with another one.
-- A stable contract: columns are only ever added, at the end. Takes no locks.
create or replace view howdah.misfits as
select
  m.id as run,
  (select t.name from howdah.task t where t.id = m.task) as task,
  (select q.name from howdah.queue q where q.id = m.queue) as queue,
  m.at as since,
  said.data ->> 'message' as mismatch
from howdah.misfit m
left join lateral (
  select e.data from howdah.event e where e.task = m.task and e.run = m.id and e.kind = 7 order by e.at desc limit 1
) said on true;
