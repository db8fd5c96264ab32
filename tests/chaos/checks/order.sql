-- Runs in sequence are admitted for the first time in the order in which they were enqueued: none goes before one with a lower number
-- that was known to wait by then. Numbers are given before commits, so the enqueue of that one must have been acknowledged.
with first as materialized (
  select p.run, d.demand ->> 1 as key, min(p.taken) as taken
  from chaos.permit p
  join howdah.run r on r.id = p.run
  cross join lateral jsonb_array_elements(r.demands) d(demand)
  where d.demand ->> 0 = 'chaos-line'
  group by p.run, d.demand ->> 1
)
select distinct on (later.run) later.run,
  format('was admitted at %s, before run %s of the key "%s", which was acknowledged at %s and admitted at %s', later.taken, earlier.run,
         later.key, p.at, earlier.taken) as said
from first later
join first earlier on earlier.key = later.key and earlier.run < later.run and earlier.taken > later.taken
join chaos.promise p on p.run = earlier.run and p.at < later.taken
where not exists (
  select from chaos.fault f
  where f.kind = 'failover' and f.variant = 'asynchronous' and later.taken between f.began - interval '10 s' and f.ended + interval '30 s'
)
order by later.run, earlier.run
