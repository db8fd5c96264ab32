-- The bare pipeline's SQL: what a hand-written program would do that keeps a history, fences its outcomes and commits
-- them synchronously. One section for each statement; sql.py reads the sections by their names.

-- name: schema
create schema floor;
create sequence floor.lease;
create table floor.run (id bigint primary key, task text not null, args json) partition by range (id);
create table floor.job (
  id bigint primary key, queue int not null default 0, priority smallint not null default 0, attempt smallint not null default 0,
  lease bigint, node int, flags int not null default 0
) with (fillfactor = 60, autovacuum_enabled = off);
create index job_ready on floor.job (queue, priority, id);
create table floor.event (
  run bigint not null, lease bigint not null, node int not null, kind smallint not null, at timestamptz not null default now(), data json
) partition by range (run);
create table floor.run_d partition of floor.run for values from (2500::bigint << 40) to (2501::bigint << 40);
create table floor.event_d partition of floor.event for values from (2500::bigint << 40) to (2501::bigint << 40) partition by hash (run);
create table floor.event_d0 partition of floor.event_d for values with (modulus 2, remainder 0);
create table floor.event_d1 partition of floor.event_d for values with (modulus 2, remainder 1);
create index on floor.event_d0 (run);
create index on floor.event_d1 (run);
create table floor.stale_event (run bigint, lease bigint, node int, kind smallint, verdict text);
create table floor.inbox (id bigint generated always as identity primary key, run bigint, kind smallint);
-- Applies a batch of outcomes to the hot rows in the same transaction, each under its pair (lease, node). An outcome
-- that lost its lease moves aside and is told to the sender before the COPY returns.
create function floor.fold() returns trigger language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set jit = off
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_came int;
  v_ended bigint[];
  v_marked bigint[];
  v_rejected json;
begin
  with e as materialized (
    select run, lease, node from arrived order by run
  ), d as (
    delete from floor.job j using e where j.id = e.run and j.lease = e.lease and j.node = e.node returning j.id, j.flags
  )
  select (select count(*) from e), array_agg(id), array_agg(id) filter (where flags <> 0) into v_came, v_ended, v_marked from d;
  if v_marked is not null then
    insert into floor.inbox (run, kind) select unnest(v_marked), 1;
  end if;
  if v_came > coalesce(cardinality(v_ended), 0) then
    with gone as (
      delete from floor.event v using arrived a
      where v.run = a.run and v.lease = a.lease and v.node = a.node and v.run <> all (coalesce(v_ended, '{}')) returning v.*
    ), kept as (
      insert into floor.stale_event select run, lease, node, kind, 'stale' from gone returning run, verdict
    )
    select json_agg(kept) into v_rejected from kept;
    raise notice 'floor.rejected' using detail = v_rejected::text;
  end if;
  return null;
end
$$;
create trigger fold after insert on floor.event
  referencing new table as arrived for each statement execute function floor.fold();

-- name: seed_runs
insert into floor.run select (2500::bigint << 40) + g, 'noop', $2::text::json from generate_series(1, $1::int) g

-- name: seed_jobs
insert into floor.job (id) select id from floor.run order by id

-- name: claim
with fresh as (
  select nextval('floor.lease') as lease
), held as (
  update floor.job j set attempt = attempt + 1, node = $3, lease = fresh.lease from fresh
  where ctid = any(array(
    select ctid from floor.job where queue = 0 and lease is null and (priority, id) > (0, $2)
    order by priority, id limit $1 for update skip locked
  ))
  returning j.id, j.attempt, j.lease
)
select held.id, held.attempt, held.lease, r.task, r.args from held join floor.run r on r.id = held.id

-- name: verdict
select (select count(*) from floor.job) as left_over, (select count(*) from floor.event) as history, (select count(*) from floor.stale_event) as stale
