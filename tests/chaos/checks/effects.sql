-- The effect of a transactional run is there once if it succeeded, and not at all if it did not.
select coalesce(r.run, f.run) as run, format('%s effects of a run that ended %s times as succeeded', coalesce(f.n, 0), coalesce(r.n, 0)) as said
from (
  select r.id as run, count(e.run) as n
  from howdah.run r join howdah.task t on t.id = r.task and t.name = 'stored'
  left join howdah.event e on e.run = r.id and e.task = r.task and e.kind = 1
  group by r.id
) r
full join (select f.run, count(*) as n from chaos.effect f group by f.run) f on f.run = r.run
where coalesce(f.n, 0) <> coalesce(r.n, 0) or r.n > 1
