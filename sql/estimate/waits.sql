-- Seconds from enqueue to start, of each eighth run since one: half of them start within p50_s, 99 of 100 within p99_s. Takes no locks.
select
  percentile_cont(0.5) within group (order by wait_s) as p50_s,
  percentile_cont(0.99) within group (order by wait_s) as p99_s
from (
  select greatest(extract(epoch from e.started - r.at), 0)::float8 as wait_s
  from howdah.event e join howdah.run r on r.id = e.run
  where e.run > $1 and r.id > $1 and e.run % 8 = 0 and e.kind = 1
) sampled;
