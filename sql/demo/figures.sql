-- Of these runs: attempts tried again, and the median and 99th percentile of the seconds from enqueue to first start.
-- The bounds of the ids prune the days. Takes no locks.
with begun as (
  select e.run, min(e.started) as started, count(*) filter (where e.kind = 4) as retries
  from howdah.event e
  where e.run = any($1::bigint[]) and e.run between $2 and $3
  group by e.run
), waited as (
  select b.retries, extract(epoch from b.started - r.at)::double precision as wait_s
  from begun b
  join howdah.run r on r.id = b.run and r.id between $2 and $3
)
select coalesce(sum(w.retries), 0)::int as retries, percentile_cont(0.5) within group (order by w.wait_s) as p50_s,
       percentile_cont(0.99) within group (order by w.wait_s) as p99_s
from waited w;
