-- Each node that has not left, alive while its lease lies ahead. queues null: all of them. ordered: it was told to pause or to drain.
-- labels: what it says of itself, which runs may require and prefer.
-- A stable contract: columns are only ever added, at the end. Takes no locks.
create or replace view howdah.nodes as
select
  n.id,
  n.name,
  n.host,
  n.pid,
  n.version,
  array(select t.name from howdah.task t where t.id = any(n.tasks) order by t.name) as tasks,
  case when n.queues is not null then array(select q.name from howdah.queue q where q.id = any(n.queues) order by q.name) end as queues,
  n.started as started_at,
  n.renewed as renewed_at,
  n.until as alive_until,
  n.until > howdah.clock() as alive,
  o.what as ordered,
  n.labels
from howdah.node n left join howdah.node_order o on o.node = n.name;
