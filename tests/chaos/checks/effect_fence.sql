-- The effect that is there is that of the attempt whose outcome was accepted.
select f.run, format('the effect is of lease %s of node %s, the accepted outcome of lease %s of node %s', f.lease, f.node, e.lease, e.node) as said
from chaos.effect f
join howdah.event e on e.run = f.run and e.kind = 1
where (f.lease, f.node) is distinct from (e.lease, e.node)
