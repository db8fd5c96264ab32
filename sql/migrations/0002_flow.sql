-- Flow control: limits, the lines of runs that wait for them, and the gate that admits these.
-- A run with limits is a row of job like any other, with its line: claims pass it over, and the gate alone gives it a lease.
-- In place, since a table of their own would cost each such run an insert and a delete more.

set local client_min_messages = warning;  -- What is dropped below is not there in a new database.

-- What tasks demand: as register() documents it. Null: nothing.
alter table howdah.task add column limits jsonb;

-- What a run demands: an array of [limit, key, cost, group, weight, hold], the tail left out where it is 1, none, 1 and none. hold: its
-- permit is kept until it has ended (run), and its failure blocks the key (block). Null: nothing.
alter table howdah.run add column demands jsonb;

-- More flags of job, timer and misfit: 32 some of what it demands it will keep until its end, 64 it has that now, 128 its failure
-- blocks the keys of that; 1024 it was a misfit, 2048 the gate has admitted it once. Runs of one queue and task with the same demands are one line (line_of()). Null: no limits, and any node may claim it.
alter table howdah.job add column line bigint;
alter table howdah.timer add column line bigint;
alter table howdah.misfit add column line bigint;

-- Whether a run has a line stands before its priority: neither claims nor the pages of monitoring walk through the others.
drop index howdah.job_claim;
create index job_claim on howdah.job (queue, task, (line is null), priority, id) where crashes < 2;
create index job_line on howdah.job (line, priority, id) where line is not null and crashes < 2;

-- A limit by its name, which all tasks share that name it. kind: limit (at most so many at once) or rate (a token bucket).
-- said: what the code says of it, {"number": 2} or {"per_s": 1.5, "burst": 90}; terms: what somebody set instead, live.
-- A paused one admits nothing.
create table howdah.limit_terms (
  name text primary key check (name <> '' and length(name) <= 200),
  kind text not null check (kind in ('limit', 'rate', 'breaker')),
  said jsonb not null,
  terms jsonb,
  paused boolean not null default false,
  changed timestamptz not null default howdah.clock()
);

-- Terms of a single key, where they are its own. blocked: the run whose failure holds the key up, until it is retried.
create table howdah.limit_key (
  name text not null,
  key text not null,
  terms jsonb,
  paused boolean not null default false,
  blocked bigint,
  primary key (name, key)
);

-- What each key of a rate has left, as of a time. closed: nothing starts under it before then, and nothing flows in; the level is as of
-- then. No row: it is full.
create table howdah.bucket (
  name text not null,
  key text not null,
  level double precision not null,
  at timestamptz not null,
  closed timestamptz,
  primary key (name, key)
) with (fillfactor = 50);

-- What is known of the keys of breakers (core/breaker.py): the last ends, oldest first, f for a failure; opened: since when it is not
-- closed; until: nothing starts under it before then, and one probe at a time after that. No row: it is closed, and saw no failure.
create table howdah.breaker (
  name text not null,
  key text not null,
  ends text not null,
  opened timestamptz,
  until timestamptz,
  primary key (name, key)
) with (fillfactor = 50);

-- Who admits: one row. Its epoch is the fence of admissions.
create table howdah.gate (
  epoch bigint not null default 0,
  node bigint,
  at timestamptz not null default howdah.clock()
) with (fillfactor = 50);
insert into howdah.gate default values;

-- The gate's seat: who holds its lock is the gate. Waiting for a table's lock takes no snapshot, which would hold vacuum up.
create table howdah.seat ();

-- Queues and tasks whose runs start nowhere until they are resumed. One row for each pause, of a queue or of a task; no row: all start.
-- Not called pause: howdah.pause('mail') would be a cast to its row type.
create table howdah.paused (
  queue int,
  task int,
  at timestamptz not null default howdah.clock(),
  check (num_nonnulls(queue, task) = 1),
  unique nulls not distinct (queue, task)
);

-- By how much a waiting run was raised above the priority that was asked for, since it has waited for long (age()). Null: not at
-- all, which costs a row nothing. What goes on to a timer goes without it: a wait that has ended counts no more.
alter table howdah.job add column lifted int;

-- What a node says of itself, an object of texts, numbers and truth values: runs may require and prefer it.
alter table howdah.node add column labels jsonb not null default '{}';

-- Where runs of a task may go and where best, as the task says it: see checked_placement().
alter table howdah.task add column placement jsonb generated always as (defaults -> 'placement') stored;

-- Where a run may go and where best: see placement_of(). Null: anywhere. What is not null goes by the gate, as if it had a limit.
alter table howdah.run add column placement jsonb;

-- Ends that limits bring.
insert into howdah.kind (id, name, sender, state, final) values
  (24, 'rejected', 'control', 'rejected', true),
  (25, 'skipped', 'control', 'skipped', true);
alter table howdah.event drop constraint event_kind;
alter table howdah.event add constraint event_kind check (kind between 1 and 7 or kind between 16 and 25);
drop index howdah.event_trouble;
create index event_trouble on howdah.event (task, run) where kind in (2, 3, 17, 18, 21, 22, 24, 25);

-- Their parameters are more now: with both forms a call would be ambiguous.
drop function if exists howdah.submit(text, text[], jsonb, boolean);
drop function if exists howdah.submit_all(text[], text[], int[], text[]);
drop function if exists howdah.submit_new(text, text[], jsonb, boolean, text, smallint, jsonb);
drop function if exists howdah.enqueue(text, json, interval, timestamptz, int, text, interval, interval, text[], jsonb, text, boolean, interval, bigint, text, text, text);
drop function if exists howdah.introduce(text, text, smallint, jsonb);
drop function if exists howdah.register(text, text, smallint, jsonb, jsonb, jsonb, text);
drop function if exists howdah.hint(int, int, smallint, bigint, text);
drop function if exists howdah.join_node(bigint, text, text, int, text, int[], text[], int[], double precision);
