-- Days from today until $1 days ahead that have no partition of runs. Partitions follow the real clock. Takes no locks.
select d.day::int as day, d.ahead
from (select (extract(epoch from clock_timestamp())::bigint / 86400 - 18262) + a as day, a as ahead from generate_series(0, $1::int) a) d
where to_regclass(format('howdah.run_d%s', d.day)) is null and to_regclass(format('howdah.run_d%s_kept', d.day)) is null
order by d.day;
