-- What a node that knows these tasks would do now: names of tasks, three at most. No row: it would rest. Takes no locks.
select t.name from howdah.job j join howdah.task t on t.id = j.task where t.name = any($1::text[])
union all
select t.name from howdah.timer i join howdah.task t on t.id = i.task where t.name = any($1::text[]) and i.due <= howdah.clock()
union all
(select 'what ended runs mean for others' from howdah.inbox limit 1)
limit 3;
