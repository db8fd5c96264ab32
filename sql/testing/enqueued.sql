-- The runs of these tasks (null: of all), in the order of their ids. For databases of tests: it reads all of run. Takes no locks.
select r.id, t.name as task, r.args::text as arguments, q.name as queue, (-r.priority)::int as priority,
  coalesce(r.tags, '{}') as tags, coalesce(r.metadata, '{}')::text as metadata, i.due, howdah.state(r.id) as state
from howdah.run r
join howdah.task t on t.id = r.task
join howdah.queue q on q.id = r.queue
left join howdah.timer i on i.id = r.id
where $1::text[] is null or t.name = any($1::text[])
order by r.id;
