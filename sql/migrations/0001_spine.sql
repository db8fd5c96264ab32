-- The spine: what was asked (run), what happened (event), and the hot state between them (job, timer, inbox).
-- Facts are insert-only and partitioned by day on the run's id; hot tables hold only what is pending.
-- There are no foreign keys: they would turn each claim into a multixact on the catalogue.

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
  (16, 'cancel_requested', 'control', 'running', false),
  (17, 'cancelled', 'control', 'cancelled', true),
  (18, 'expired', 'control', 'expired', true),
  (19, 'reaped', 'control', 'queued', false);

create table howdah.queue (
  id int generated always as identity primary key,
  name text not null unique check (name <> '' and length(name) <= 200)
);
insert into howdah.queue (name) values ('default');

-- The catalogue: a run means the same whether Python or psql asked for it.
-- implemented is false for a name that SQL has used and no program has defined yet.
create table howdah.task (
  id int generated always as identity primary key,
  name text not null unique check (name <> '' and length(name) <= 200),
  queue int not null,
  priority smallint not null default 0,
  defaults jsonb not null default '{}',
  input jsonb,
  output jsonb,
  hash text,
  implemented boolean not null default false,
  changed timestamptz not null default howdah.clock()
);

-- A running process. A node is alive while `until` lies ahead; ids are random for each start, so that
-- a lease number that a crash of Postgres hands out twice still belongs to one owner only.
create table howdah.node (
  id bigint primary key,
  name text not null,
  host text not null,
  pid int not null,
  version text not null,
  tasks int[] not null,
  queues int[],
  started timestamptz not null default howdah.clock(),
  renewed timestamptz not null default howdah.clock(),
  until timestamptz not null
) with (fillfactor = 50);

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
  primary key (id)
) partition by range (id);
create table howdah.run_default partition of howdah.run default;

-- priority is stored negated, so that the lowest key is the next to go.
-- flags: 1 a cancel was asked for, 2 somebody awaits the result. No index holds a column that a claim
-- changes, so claims are HOT updates; the fill factor leaves room for them.
create table howdah.job (
  id bigint primary key,
  lease bigint,
  node bigint,
  expires timestamptz,
  queue int not null,
  task int not null,
  priority smallint not null,
  attempt smallint not null default 0,
  flags smallint not null default 0
) with (
  fillfactor = 45, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000
);
create index job_claim on howdah.job (queue, task, priority, id);
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
  retrying boolean not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
create index timer_due on howdah.timer (due);

create table howdah.event (
  run bigint not null,
  lease bigint,
  node bigint,
  at timestamptz not null default howdah.clock(),
  started timestamptz,
  kind smallint not null constraint event_kind check (kind between 1 and 6 or kind between 16 and 19),
  delay interval,
  data json
) partition by range (run);
create index event_run on howdah.event (run);
create table howdah.event_default partition of howdah.event default;

-- Outcomes that came too late: a resend of an accepted one (duplicate), or of a lease that was lost (stale).
create table howdah.stale_event (
  run bigint not null,
  lease bigint,
  node bigint,
  at timestamptz not null,
  started timestamptz,
  kind smallint not null,
  delay interval,
  data json,
  verdict text not null
);
create index stale_event_run on howdah.stale_event (run);

-- What an event means for others, applied by settle() right after the commit.
create table howdah.inbox (
  id bigint generated always as identity primary key,
  run bigint not null,
  at timestamptz not null default howdah.clock()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
