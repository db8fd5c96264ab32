-- No more runs hold permits of a limit under a key than it allows at the moment when one is admitted. A gate may hear of new terms a
-- look later: so long the old ones count, too. What a failover to an asynchronous standby forgot runs on beside what was admitted since.
select x.run, format('was admitted at %s as one of %s under %s and the key "%s", which allowed %s', x.at, x.n, x.name, x.key, x.number) as said
from (
  select e.run, e.at, e.name, e.key, e.change, e.n, (
    select max(t.number) from (
      select c.number, c.at, lead(c.at, 1, 'infinity') over (order by c.at) as until from chaos.terms c where c.name = e.name
    ) t where t.at <= e.at and t.until >= e.at - interval '5 s'
  ) as number
  from (
    select c.run, c.at, c.change, d.demand ->> 0 as name, d.demand ->> 1 as key,
           sum(c.change) over (partition by d.demand ->> 0, d.demand ->> 1 order by c.at, c.change) as n
    from (
      select p.run, p.taken as at, 1 as change from chaos.permit p
      union all select p.run, p.freed, -1 from chaos.permit p where p.freed is not null
    ) c
    join howdah.run r on r.id = c.run
    cross join lateral jsonb_array_elements(r.demands) d(demand)
  ) e
) x
where x.change = 1 and x.n > x.number
