-- No more runs hold permits of a limit under a key than it allows at the moment when one is admitted. A gate may hear of new terms a
-- look later: so long the old ones count, too. What a failover to an asynchronous standby forgot runs on beside what was admitted since.
-- What is kept until the end of a run is held between its attempts as well, and not until it is opened again after its end.
with permit as (
  select p.run, p.taken, p.freed, d.demand ->> 0 as name, d.demand ->> 1 as key, d.demand ->> 5 is not null as kept,
         (select count(*) from howdah.event v where v.run = p.run and v.kind = 23 and v.at < p.taken) as life
  from chaos.permit p
  join howdah.run r on r.id = p.run
  cross join lateral jsonb_array_elements(r.demands) d(demand)
), held as (
  select p.run, p.name, p.key, p.taken, p.freed from permit p where not p.kept
  union all
  select p.run, p.name, p.key, min(p.taken), case when bool_and(p.freed is not null) then max(p.freed) end from permit p where p.kept group by p.run, p.name, p.key, p.life
)
select x.run, format('was admitted at %s as one of %s under %s and the key "%s", which allowed %s, beside %s', x.at, x.n, x.name, x.key, x.number, (
  select string_agg(format('run %s', o.run), ', ' order by o.run) from held o
  where o.name = x.name and o.key = x.key and o.run <> x.run and o.taken <= x.at and coalesce(o.freed, 'infinity') > x.at
)) as said
from (
  select e.*, chaos.allowed(e.name, e.key, e.at - interval '5 s', e.at) as number
  from (
    select c.*, sum(c.change) over (partition by c.name, c.key order by c.at, c.change) as n
    from (
      select h.run, h.name, h.key, h.taken as at, 1 as change from held h
      union all select h.run, h.name, h.key, h.freed, -1 from held h where h.freed is not null
    ) c
  ) e where e.change = 1
) x
where x.n > x.number
