-- For each node that was killed: how many runs it held, and after how many seconds the first and the last of them began again.
-- clear: nothing else went wrong meanwhile.
with killed as (
  select f.number, f.began, f.target from chaos.fault f where f.kind = 'kill'
), held as (
  select k.number, k.began, k.target, e.run, e.at as reaped
  from killed k
  join chaos.process p on p.name = k.target
  join chaos.gone g on g.pid = p.pid and g.at > k.began and g.at < k.began + interval '60 s'
  join howdah.event e on e.node = g.node and e.kind = 19
), again as (
  select h.number, h.began, h.target, h.run, (select min(a.began) from chaos.attempt a where a.run = h.run and a.began >= h.reaped) as restarted
  from held h
)
select g.number, g.target as process, count(*) as held, round(extract(epoch from min(g.restarted) - g.began), 3)::float as first_s,
       round(extract(epoch from max(g.restarted) - g.began), 3)::float as all_s,
       round(extract(epoch from max(g.restarted) - min(g.restarted)), 3)::float as spread_s,
       not exists (
         select from chaos.fault f
         where f.number <> g.number and f.kind not in ('cut', 'snapshot', 'segfault', 'kill_producer')
           and f.began < g.began + make_interval(secs => $1 + 1.5) and f.ended > g.began - interval '0.5 s'
       ) as clear
from again g
group by g.number, g.began, g.target
order by g.number
