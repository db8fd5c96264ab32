-- The same of attempts as their diaries have it: what was under way at once. An attempt whose node was off the list by then is a
-- zombie, which nobody can stop: it does not count from there on.
with last as materialized (
  select a.run, a.began, least(coalesce(a.ended, p.ended), (select min(g.at) from chaos.gone g where g.node = a.node)) as ended
  from chaos.attempt a left join chaos.process p on p.name = a.process
), attempt as (
  select l.run, l.began, l.ended, d.demand ->> 0 as name, d.demand ->> 1 as key, d.demand ->> 5 is not null as kept,
         (select count(*) from howdah.event v where v.run = l.run and v.kind = 23 and v.at < l.began) as life
  from last l
  join howdah.run r on r.id = l.run
  cross join lateral jsonb_array_elements(r.demands) d(demand)
  where l.ended is null or l.began < l.ended
), held as (
  select a.run, a.name, a.key, a.began, a.ended from attempt a where not a.kept
  union all
  select a.run, a.name, a.key, min(a.began), case when bool_and(a.ended is not null) then max(a.ended) end from attempt a where a.kept group by a.run, a.name, a.key, a.life
)
select x.run, format('began at %s as one of %s under %s and the key "%s", which allowed %s, beside %s', x.at, x.n, x.name, x.key, x.number, (
  select string_agg(format('run %s', o.run), ', ' order by o.run) from held o
  where o.name = x.name and o.key = x.key and o.run <> x.run and o.began <= x.at and coalesce(o.ended, 'infinity') > x.at
)) as said
from (
  select e.*, chaos.allowed(e.name, e.key, e.at - interval '10 s', e.at) as number
  from (
    select c.*, sum(c.change) over (partition by c.name, c.key order by c.at, c.change) as n
    from (
      select h.run, h.name, h.key, h.began as at, 1 as change from held h
      union all select h.run, h.name, h.key, h.ended, -1 from held h where h.ended is not null
    ) c
  ) e where e.change = 1
) x
where x.n > x.number
  and not exists (
    select from chaos.fault f
    where f.kind = 'failover' and f.variant = 'asynchronous' and x.at between f.began - interval '10 s' and f.ended + interval '30 s'
  )
