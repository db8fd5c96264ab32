-- A run that was enqueued in somebody's own transaction is there if and only if what else it wrote is there.
select coalesce(r.id, 0) as run, format('%s: %s', coalesce(b.mark, r.args ->> 'mark'), case when r.id is null then 'booked and not enqueued' else 'enqueued and not booked' end) as said
from chaos.booking b
full join (select r.id, r.args from howdah.run r where r.args ->> 'mark' like 'own-%') r on r.args ->> 'mark' = b.mark
where b.mark is null or r.id is null
