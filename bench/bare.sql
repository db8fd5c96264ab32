-- What a program does by hand, to compare with.

-- name: queue
create table bare_job (id bigint generated always as identity primary key, lease bigint, priority smallint not null default 0, args json not null)
  with (fillfactor = 60);
create index on bare_job (priority, id);
create sequence bare_lease

-- name: insert_notify
with one as (insert into bare_job (args) values ($1::text::json) returning id) select pg_notify('bare_work', id::text) from one

-- name: claim
update bare_job set lease = nextval('bare_lease') where ctid = any(array(
  select ctid from bare_job where lease is null order by priority, id limit 10 for update skip locked
)) returning id, args

-- name: like_tables
create schema bare;
create sequence bare.run_number;
create table bare.run (like howdah.run including all) partition by range (id);
create table bare.job (like howdah.job including all);
alter table bare.job set (fillfactor = 60, autovacuum_enabled = off);

-- name: days
select c.relname as name, (substring(c.relname from '^run_d(\d+)$')::bigint << 40)::text as low,
  ((substring(c.relname from '^run_d(\d+)$')::bigint + 1) << 40)::text as high
from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'howdah.run'::regclass and c.relname ~ '^run_d\d+$'

-- name: insert_one
with fresh as materialized (
  select howdah.day_base() + nextval('bare.run_number') as id
), asked as (
  insert into bare.run (id, task, queue, priority, args) select id, 1, 1, 0, $1::text::json from fresh
)
insert into bare.job (id, queue, task, priority) select id, 1, 1, 0 from fresh returning id
