-- Every run that history still holds: what was asked, where it is, and what became of it. A stable contract: columns are
-- only ever added, at the end. Right for `where id = x` and for `order by id desc limit n`, where each row costs a few
-- index probes; for anything else there is howdah.list_runs(), which knows the way. started_at is the start of the newest
-- attempt that has ended: a claim writes no time. error is what the newest attempt that failed has raised. Takes no locks.
create or replace view howdah.runs as
select
  r.id,
  (select t.name from howdah.task t where t.id = r.task) as task,
  (select q.name from howdah.queue q where q.id = coalesce(hot.queue, r.queue)) as queue,
  coalesce(hot.state, (select k.state from howdah.kind k where k.id = past.kind)) as state,
  -r.priority as priority,
  r.at as enqueued_at,
  hot.due as due_at,
  past.started as started_at,
  case when hot.state is null then past.ended end as ended_at,
  past.attempts + case when hot.state = 'running' then 1 else 0 end as attempts,
  past.crashes,
  r.parent,
  r.root,
  r.tags,
  r.metadata,
  r.args,
  case when hot.state is null and past.kind = 1 then past.result end as result,
  case when hot.state is not null or past.kind <> 1 then past.error end as error,
  case when hot.flags & 1 = 1 or (hot.state is null and past.kind <> 1) then past.reason ->> 'reason' end as reason,
  (select p.value from howdah.progress p where p.run = r.id) as progress,
  (select n.name from howdah.node n where n.id = coalesce(hot.node, past.node)) as node
from howdah.run r
left join lateral (
  select case when j.lease is not null then 'running' when j.line is not null then 'gated' else 'queued' end as state, j.queue, j.flags, j.node, null::timestamptz as due
  from howdah.job j where j.id = r.id
  union all
  select case when w.retrying then 'retrying' else 'scheduled' end, w.queue, w.flags, null, w.due from howdah.timer w where w.id = r.id
  union all
  select 'queued', m.queue, m.flags, null, null from howdah.misfit m where m.id = r.id
  limit 1
) hot on true
cross join lateral (
  select
    count(*) filter (where e.kind in (1, 2, 3, 4, 21)) as attempts,
    count(*) filter (where e.kind in (19, 21, 22)) as crashes,
    max(e.started) as started,
    (array_agg(e.kind order by e.at desc) filter (where e.kind in (1, 2, 3, 17, 18, 21, 22, 24, 25)))[1] as kind,
    max(e.at) filter (where e.kind in (1, 2, 3, 17, 18, 21, 22, 24, 25)) as ended,
    (array_agg(e.node order by e.at desc) filter (where e.node is not null))[1] as node,
    (array_agg(e.data order by e.at desc) filter (where e.kind = 1))[1] as result,
    (array_agg(e.data order by e.at desc) filter (where e.kind in (2, 4, 21, 22) and e.data is not null))[1] as error,
    (array_agg(e.data order by e.at desc) filter (where e.kind in (16, 17, 24, 25) and e.data is not null))[1] as reason
  from howdah.event e
  where e.task = r.task and e.run = r.id
) past;
