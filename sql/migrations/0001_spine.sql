-- The spine: what was asked (run), what happened (event), and the hot state between them (job, timer, inbox).
-- Facts are insert-only and partitioned by day on the run's id; hot tables hold only what is pending.
-- There are no foreign keys: they would turn each claim into a multixact on the catalogue.
-- No view and no page counts a big table: what moves is tallied in the same transaction, and rolled up.

create schema howdah;

create table howdah.migration (
  number int primary key,
  name text not null,
  at timestamptz not null default now()
);

-- The one clock. Stable and inlined, so that `due <= howdah.clock()` stays an index condition.
-- Tests move it by setting howdah.shift to an interval on the connections that they open.
-- It is made here and not under functions/ because defaults of the tables below depend on it.
create function howdah.clock() returns timestamptz
  language sql stable parallel safe
  return statement_timestamp() + coalesce(nullif(current_setting('howdah.shift', true), '')::interval, interval '0');

create sequence howdah.run_number as bigint maxvalue 1099511627775;
create sequence howdah.lease_number as bigint;

-- Part of what an idempotency key is made of: two databases never make the same one.
create table howdah.installation (
  id uuid not null default gen_random_uuid()
);
insert into howdah.installation default values;

-- Every kind of event: who may send it, and the state that it leaves behind.
-- node: only under (lease, node). control: only through SQL functions that hold the lock of the run's hot row.
create table howdah.kind (
  id smallint primary key,
  name text not null unique,
  sender text not null check (sender in ('node', 'control')),
  state text not null,
  final boolean not null
);
insert into howdah.kind (id, name, sender, state, final) values
  (1, 'succeeded', 'node', 'succeeded', true),
  (2, 'failed', 'node', 'failed', true),
  (3, 'stopped', 'node', 'cancelled', true),
  (4, 'retried', 'node', 'retrying', false),
  (5, 'snoozed', 'node', 'scheduled', false),
  (6, 'released', 'node', 'queued', false),
  (7, 'misfit', 'node', 'queued', false),
  (16, 'cancel_requested', 'control', 'running', false),
  (17, 'cancelled', 'control', 'cancelled', true),
  (18, 'expired', 'control', 'expired', true),
  (19, 'reaped', 'control', 'queued', false),
  (20, 'returned', 'control', 'queued', false),
  (21, 'lost', 'control', 'lost', true),
  (22, 'quarantined', 'control', 'quarantined', true),
  (23, 'reopened', 'control', 'queued', false);

-- retention_days: history of this queue's runs; null: as long as the setting says.
create table howdah.queue (
  id int generated always as identity primary key,
  name text not null unique check (name <> '' and length(name) <= 200),
  retention_days int check (retention_days > 0)
);
insert into howdah.queue (name) values ('default');

-- The catalogue: a run means the same whether Python or psql asked for it.
-- implemented is false for a name that SQL has used and no program has defined yet.
-- flags are those that its runs start with; see job.
create table howdah.task (
  id int generated always as identity primary key,
  name text not null unique check (name <> '' and length(name) <= 200),
  queue int not null,
  priority smallint not null default 0,
  flags smallint not null default 0,
  defaults jsonb not null default '{}',
  input jsonb,
  output jsonb,
  hash text,
  implemented boolean not null default false,
  changed timestamptz not null default howdah.clock()
);

-- Who is told of which facts: tasks that start once for each of them.
create table howdah.subscriber (
  fact text not null,
  task int not null,
  parameter text not null,
  primary key (fact, task)
);

-- A running process. A node is alive while `until` lies ahead; ids are random for each start, so that
-- a lease number that a crash of Postgres hands out twice still belongs to one owner only.
-- hashes: of the definitions of its tasks, in their order. world: the one that it entered (howdah.world()); its lease counts
-- in no other. Empty: it is not known.
create table howdah.node (
  id bigint primary key,
  name text not null,
  host text not null,
  pid int not null,
  version text not null,
  tasks int[] not null,
  hashes text[] not null,
  queues int[],
  started timestamptz not null default howdah.clock(),
  renewed timestamptz not null default howdah.clock(),
  until timestamptz not null,
  world text not null default ''
) with (fillfactor = 50);

-- What somebody told a node, by its name: that stays the same for the life of its process, while its identity is another one
-- after each lease that it lost. No row: it works.
create table howdah.node_order (
  node text primary key,
  what text not null check (what in ('pause', 'drain')),
  at timestamptz not null default howdah.clock()
);

-- Which node says in its metrics what the queues hold: one for the whole database. One row.
create table howdah.reporter (
  node bigint not null
) with (fillfactor = 50);
insert into howdah.reporter (node) values (0);

-- trace: the span that asked for it, if any, as W3C Trace Context has it: a traceparent, and a tracestate behind a blank. "apart "
-- stands before it where the run was not to start at once, or is one of a batch: its span is then linked with that one, not under it.
create table howdah.run (
  id bigint not null,
  at timestamptz not null default howdah.clock(),
  task int not null,
  queue int not null,
  priority smallint not null,
  args json not null,
  tags text[],
  metadata jsonb,
  options jsonb,
  parent bigint,
  root bigint,
  trace text,
  primary key (id)
) partition by range (id);
create index run_parent on howdah.run (parent, id) where parent is not null;
create index run_root on howdah.run (root, id) where root is not null;
create index run_metadata on howdah.run using gin (metadata jsonb_path_ops) where metadata is not null;
create index run_tags on howdah.run using gin (tags) where tags is not null;
create table howdah.run_default partition of howdah.run default;

-- priority is stored negated, so that the lowest key is the next to go.
-- flags: 1 a cancel was asked for, 2 somebody awaits the result, 4 at most once, 8 holds a unique key, 16 its failure
-- has a handler. crashes: how many nodes died while they held the run; from 2 on it is a suspect, which a node runs
-- only one of at a time, and no ordinary claim sees it. No index holds a column that a claim changes, so claims are
-- HOT updates; the fill factor leaves room for them.
create table howdah.job (
  id bigint primary key,
  lease bigint,
  node bigint,
  expires timestamptz,
  queue int not null,
  task int not null,
  priority smallint not null,
  attempt smallint not null default 0,
  flags smallint not null default 0,
  crashes smallint not null default 0
) with (
  fillfactor = 45, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000
);
create index job_claim on howdah.job (queue, task, priority, id) where crashes < 2;
create index job_suspect on howdah.job (queue, task, priority, id) where crashes >= 2;
create index job_expires on howdah.job (expires) where expires is not null;

-- Runs that wait for a time: delayed, snoozed (scheduled) or between attempts (retrying).
create table howdah.timer (
  id bigint primary key,
  due timestamptz not null,
  expires timestamptz,
  queue int not null,
  task int not null,
  priority smallint not null,
  attempt smallint not null,
  flags smallint not null,
  crashes smallint not null default 0,
  retrying boolean not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
create index timer_due on howdah.timer (due);

-- Runs whose payload fitted none of the definitions that tried it: they wait for a node with another one.
create table howdah.misfit (
  id bigint primary key,
  expires timestamptz,
  queue int not null,
  task int not null,
  priority smallint not null,
  attempt smallint not null,
  flags smallint not null,
  crashes smallint not null,
  hashes text[] not null,
  at timestamptz not null default howdah.clock()
);
create index misfit_line on howdah.misfit (queue, task, hashes, priority, id);

create table howdah.event (
  run bigint not null,
  lease bigint,
  node bigint,
  at timestamptz not null default howdah.clock(),
  started timestamptz,
  task int not null,
  -- Nodes write what happened to them; what control functions say, only their owner may say, who may also create here.
  kind smallint not null constraint event_kind check (kind between 1 and 7 or kind between 16 and 23)
    constraint event_sender check (kind < 16 or has_schema_privilege('howdah', 'create')),
  delay interval,
  data json,
  logs json
) partition by range (run);
-- By task first, so that one index serves a run's history and a task's newest runs.
create index event_task on howdah.event (task, run);
create index event_trouble on howdah.event (task, run) where kind in (2, 3, 17, 18, 21, 22);
-- Written for failures alone: reading the fingerprint of each, behind its traceback, would cost more than finding it.
create index event_error on howdah.event (task, (data ->> 'fingerprint'), run) where kind = 2;
create table howdah.event_default partition of howdah.event default;

-- Outcomes that came too late: a resend of an accepted one (duplicate), or of a lease that was lost (stale).
create table howdah.stale_event (
  run bigint not null,
  lease bigint,
  node bigint,
  at timestamptz not null,
  started timestamptz,
  task int not null,
  kind smallint not null,
  delay interval,
  data json,
  logs json,
  verdict text not null
);
create index stale_event_run on howdah.stale_event (run);

-- What an event means for others, applied by settle() right after the commit. what: ended (waiters are told),
-- cancelled (its children, too), failed (handlers and subscribers start), freed (its unique key),
-- and facts that subscribers hear of: run.stale, run.quarantined, node.lost, with what there is to say.
create table howdah.inbox (
  id bigint generated always as identity primary key,
  run bigint not null,
  what text not null default 'ended',
  data jsonb,
  at timestamptz not null default howdah.clock()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);

-- Keys that make an enqueue happen once: unique ones, until their run ends or for a time, and those of children, which
-- belong to the parent (owner) and mean nothing after its end. Not partitioned: uniqueness knows no days.
create table howdah.held_key (
  task int not null,
  key text not null,
  run bigint not null,
  owner bigint not null,
  until timestamptz,
  primary key (task, key)
);
create index held_key_owner on howdah.held_key (owner);
create index held_key_until on howdah.held_key (until) where until is not null;

-- The latest that a run said of its progress.
create table howdah.progress (
  run bigint primary key,
  at timestamptz not null default howdah.clock(),
  value json not null
) with (fillfactor = 50);

-- What each statement moved, appended in its own transaction: so many events of a kind (0: enqueued; null: no event)
-- and the differences in what is ready, running and later (timers). roll_up() folds it into total and rate.
create table howdah.tally (
  at timestamptz not null default howdah.clock(),
  queue int not null,
  task int not null,
  kind smallint,
  n int not null,
  ready int not null,
  running int not null,
  later int not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);

create table howdah.total (
  queue int not null,
  task int not null,
  kind smallint not null,
  n bigint not null,
  ready bigint not null,
  running bigint not null,
  later bigint not null,
  primary key (queue, task, kind)
) with (fillfactor = 50);

create table howdah.rate (
  at timestamptz not null,
  queue int not null,
  task int not null,
  kind smallint not null,
  n bigint not null,
  primary key (at, queue, task, kind)
);

-- How far the runs of a queue are deleted in a day that others keep for longer: everything up to this id.
create table howdah.trim (
  queue int not null,
  day int not null,
  after bigint not null,
  primary key (queue, day)
);

-- Roles that howdah.permit() has given rights to: each migration gives them again.
create table howdah.role (
  name name not null,
  kind text not null check (kind in ('node', 'enqueue', 'read')),
  primary key (name, kind)
);
