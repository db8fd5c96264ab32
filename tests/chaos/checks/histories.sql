-- Histories that are the same, with the state that is shown of them: so many runs have events of these kinds in this order.
select x.kinds, x.state, count(*) as runs, min(x.run) as run
from (
  select r.id as run, coalesce(e.kinds, '{}') as kinds, case when e.kinds = '{1}' and r.id % 50 <> 0 then 'succeeded' else howdah.state(r.id) end as state
  from howdah.run r
  left join (select e.run, array_agg(e.kind::int order by e.at, e.kind) as kinds from howdah.event e group by e.run) e on e.run = r.id
) x
group by x.kinds, x.state
