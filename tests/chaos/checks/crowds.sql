-- The same of attempts as their diaries have it: what was under way at once. An attempt whose node was off the list by then is a
-- zombie, which nobody can stop: it does not count from there on.
with last as materialized (
  select a.run, a.began, least(coalesce(a.ended, p.ended), (select min(g.at) from chaos.gone g where g.node = a.node)) as ended
  from chaos.attempt a left join chaos.process p on p.name = a.process
)
select x.run, format('began at %s as one of %s under %s and the key "%s", which allowed %s', x.at, x.n, x.name, x.key, x.number) as said
from (
  select e.run, e.at, e.name, e.key, e.change, e.n, (
    select max(t.number) from (
      select c.number, c.at, lead(c.at, 1, 'infinity') over (order by c.at) as until from chaos.terms c where c.name = e.name
    ) t where t.at <= e.at and t.until >= e.at - interval '10 s'
  ) as number
  from (
    select c.run, c.at, c.change, d.demand ->> 0 as name, d.demand ->> 1 as key,
           sum(c.change) over (partition by d.demand ->> 0, d.demand ->> 1 order by c.at, c.change) as n
    from (
      select l.run, l.began as at, 1 as change from last l where l.ended is null or l.began < l.ended
      union all select l.run, l.ended, -1 from last l where l.began < l.ended
    ) c
    join howdah.run r on r.id = c.run
    cross join lateral jsonb_array_elements(r.demands) d(demand)
  ) e
) x
where x.change = 1 and x.n > x.number
  and not exists (
    select from chaos.fault f
    where f.kind = 'failover' and f.variant = 'asynchronous' and x.at between f.began - interval '10 s' and f.ended + interval '30 s'
  )
