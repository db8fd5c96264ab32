-- What was acknowledged as committed is there. A failover to an asynchronous standby may lose what that had not replayed:
-- the last moments before it.
select p.run, format('%s was acknowledged at %s and is not there', p.mark, p.at) as said
from chaos.promise p
left join howdah.run r on r.id = p.run
where (r.id is null or r.args ->> 'mark' <> p.mark)
  and not exists (
    select from chaos.fault f
    where f.kind = 'failover' and f.variant = 'asynchronous' and p.at between f.began - interval '10 s' and f.ended
  )
