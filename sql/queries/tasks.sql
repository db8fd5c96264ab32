-- The catalogue, with what waits for nobody. Takes no locks.
select t.name as task, q.name as queue, t.implemented, u.since from howdah.task t join howdah.queue q on q.id = t.queue left join howdah.unimplemented u on u.task = t.name order by t.name;
