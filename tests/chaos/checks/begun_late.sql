-- Nothing begins under the lease of a node that is off the list. Whoever was frozen between looking and beginning could not know.
select a.run, format('began at %s under lease %s of node %s, which was off the list since %s', a.began, a.lease, a.node, g.at) as said
from chaos.attempt a
join (select g.node, min(g.at) as at from chaos.gone g group by g.node) g on g.node = a.node and a.began > g.at
where not exists (
  select from chaos.fault f
  where f.kind in ('pause', 'failover', 'full_disk', 'restart') and g.at <= f.ended + interval '0.5 s' and a.began between f.began and f.ended + interval '1 s'
)
