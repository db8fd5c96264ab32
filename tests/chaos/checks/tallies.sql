-- Counts are exact: what was tallied as it moved is what is there.
select 0::bigint as run, format('the tallies of %s lines are not the real counts', n) as said from howdah.recount() n where n > 0
union all
select 0, format('%s events of kind %s of %s are counted as %s', v.n, v.kind, t.name, coalesce(s.n, 0))
from (
  select e.task, e.kind::int, count(*) as n from howdah.event e where e.kind <> 16 group by e.task, e.kind
  union all select r.task, 0, count(*) from howdah.run r group by r.task
) v
join howdah.task t on t.id = v.task
left join (select w.task, w.kind::int, sum(w.n) as n from howdah.standing() w group by w.task, w.kind) s on s.task = v.task and s.kind = v.kind
where v.n <> coalesce(s.n, 0)
