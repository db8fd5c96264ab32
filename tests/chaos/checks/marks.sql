-- No enqueue took effect twice: a mark is one run's. Those whose fate was unknown have one run or none.
select min(r.id) as run, format('%s was enqueued %s times', r.args ->> 'mark', count(*)) as said
from howdah.run r
group by r.args ->> 'mark' having count(*) > 1
