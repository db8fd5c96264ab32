-- What starts at most once begins at most once. A failover to an asynchronous standby may forget that it was claimed.
select a.run, format('began %s times: %s', count(*), string_agg(format('%s under lease %s of node %s in %s', a.began, a.lease, a.node, a.process), ', ' order by a.began)) as said
from chaos.attempt a
join howdah.run r on r.id = a.run
join howdah.task t on t.id = r.task and t.name = 'once'
group by a.run
having count(*) > 1 and not exists (
  select from chaos.fault f
  where f.kind = 'failover' and f.variant = 'asynchronous' and min(a.began) between f.began - interval '10 s' and f.ended
)
