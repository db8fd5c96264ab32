-- What was answered to be cancelled has ended so and never begins after that; so do the children of a cancelled run.
select c.run, format('was answered to be cancelled at %s and is %s', c.at, howdah.state(c.run)) as said
from chaos.cancel c join howdah.run r on r.id = c.run
where c.answer = 'cancelled' and howdah.state(c.run) is distinct from 'cancelled'
union all
select c.run, format('was cancelled at %s and began at %s', c.at, a.began)
from chaos.cancel c
join chaos.attempt a on a.run = c.run and a.began > c.at
where c.answer = 'cancelled'
  and not exists (
    select from chaos.fault f where f.kind = 'failover' and f.variant = 'asynchronous' and c.at between f.began - interval '10 s' and f.ended
  )
union all
select r.id, format('its parent %s was cancelled, and it is %s', r.parent, howdah.state(r.id))
from chaos.cancel c
join howdah.run r on r.parent = c.run
where c.answer = 'cancelled' and r.args ->> 'mark' like 'orphan-%' and howdah.state(c.run) = 'cancelled' and howdah.state(r.id) <> 'cancelled'
  and r.at < c.at - interval '1 s'
