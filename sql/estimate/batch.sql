-- How many outcomes since a run were committed at once, on average: of fifty thousand at most. Takes no locks.
select coalesce(count(*)::float8 / nullif(count(distinct mark), 0), 1) as runs
from (select e.xmin::text as mark from howdah.event e where e.run > $1 limit 50000) sampled;
