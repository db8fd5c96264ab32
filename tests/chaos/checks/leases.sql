-- No two valid leases at once: while an attempt is under way another one of its run begins only after its lease was ended, by
-- an event that says so. A claim that a crash of Postgres forgot (it does not wait for the disk) is handed out again.
with several as materialized (
  select a.run from chaos.attempt a group by a.run having count(*) > 1
), pair as (
  select a.*, b.lease as next_lease, b.node as next_node, b.began as next_began
  from several s
  join chaos.attempt a on a.run = s.run
  join chaos.attempt b on b.run = s.run and b.began > a.began
    and b.began < coalesce(a.ended, (select p.ended from chaos.process p where p.name = a.process), 'infinity')
)
select p.run, format('lease %s of node %s began at %s while lease %s of node %s (%s, until %s) was valid', p.next_lease, p.next_node, p.next_began,
                     p.lease, p.node, p.began, p.ended) as said
from pair p
where not exists (
    select from howdah.event e
    where e.run = p.run and e.at <= p.next_began and e.at >= p.began - interval '1 s'
      and ((e.lease = p.lease and e.node = p.node) or e.kind = 20)
  )
  and not exists (
    select from chaos.fault f
    where (f.kind in ('full_disk', 'failover') or (f.kind = 'restart' and f.variant = 'immediate'))
      and p.next_began >= f.began and p.began between f.began - interval '12 s' and f.ended
  )
