-- A history to list: ended runs spread over days and tasks, as the pipeline would have left them.

-- name: tasks
select howdah.introduce('task_' || n) from generate_series(0, $1::int - 1) n

-- name: today
select (howdah.day_base() >> 40)::int

-- name: add_day
select howdah.add_day($1, $2)

-- name: runs
insert into howdah.run_d{day} (id, at, task, queue, priority, args, tags, metadata, parent, root)
select ({day}::bigint << 40) + {first} + n, '2020-01-01'::timestamptz + {day} * interval '1 day' + n * interval '86400 seconds' / {count},
  (select t.id from howdah.task t where t.name = 'task_0') + case when n % 2 = 0 then 0 else n / 2 % {tasks} end, 1, 0,
  '{{"user_id": 123456, "email": "someone@example.com", "note": "payload filled up to a hundred bytes....."}}',
  case when n % 20 = 0 then array['nightly'] when n % 50021 = 7 then array['odd'] end,
  case when n % 10 = 1 then jsonb_build_object('customer', 'c' || n % 9973) end,
  case when n % 100 between 51 and 60 then ({day}::bigint << 40) + {first} + n - n % 100 end,
  case when n % 100 between 51 and 60 then ({day}::bigint << 40) + {first} + n - n % 100 end
from generate_series(1, {count}) n

-- name: events
insert into howdah.event_d{day} (run, lease, node, at, started, task, kind, data)
select r.id, r.id, 7, r.at + interval '1 second', r.at + interval '0.9 seconds', r.task,
  case when r.n % 50 = 3 then 2 when r.n % 100 = 5 then 17 when r.n % 1000 = 7 then 18 when r.n % 5000 = 11 then 22 else 1 end,
  case when r.n % 50 = 3 then json_build_object('type', 'ValueError', 'message', 'no such customer: ' || r.n,
    'traceback', repeat('  File "shop.py", line 7, in charge' || chr(10), 10), 'bases', array['builtins.ValueError'],
    'fingerprint', lpad(to_hex(r.n % 97), 8, '0')) end
from (select r.id, r.at, r.task, r.id - ({day}::bigint << 40) - {first} as n from howdah.run_d{day} r) r

-- name: retried
insert into howdah.event_d{day} (run, lease, node, at, started, task, kind, delay, data)
select r.id, r.id, 7, r.at + interval '0.5 seconds', r.at + interval '0.4 seconds', r.task, 4, interval '1 second', '{{"type": "TimeoutError"}}'
from howdah.run_d{day} r where r.id % 30 = 0

-- name: analyze
analyze howdah.run_d{day}, howdah.event_d{day}

-- name: counted
insert into howdah.total as o (queue, task, kind, n, ready, running, later)
select 1, e.task, e.kind, count(*), 0, 0, 0 from howdah.event_d{day} e group by e.task, e.kind
union all
select 1, r.task, 0, count(*), 0, 0, 0 from howdah.run_d{day} r group by r.task
on conflict (queue, task, kind) do update set n = o.n + excluded.n

-- name: rates
insert into howdah.rate (at, queue, task, kind, n)
select h.at, t.queue, t.task, t.kind, greatest(1, t.n / 720)
from howdah.total t, generate_series(date_trunc('hour', howdah.clock()) - interval '30 days', howdah.clock(), interval '1 hour') h(at)

-- name: numbers
select setval('howdah.run_number', $1)

-- name: a_root
select max(root) from howdah.run where id < $1

-- name: a_failure
select run from howdah.event where task = $1 and kind = 2 order by run desc limit 1
