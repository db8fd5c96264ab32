-- The demo's own tables. Run at each start of the demo, so everything here may exist already; the lock makes two
-- starts at once wait for one another, since `if not exists` alone does not.
select pg_advisory_xact_lock(7738135626411);

create schema if not exists demo;

-- One row for each source file; it enters in the transaction that enqueues its run, and names that run.
-- stores counts how often the file was stored since it entered: the promise is that it never exceeds 1.
create table if not exists demo.file (
  path text primary key,
  module text not null,
  size bigint not null,
  modified_ns bigint not null,
  run bigint,
  stored timestamptz,
  stores int not null default 0
);

-- What modules, classes and functions say about themselves: name over summary over body in rank.
create table if not exists demo.document (
  file text not null references demo.file on delete cascade,
  number int not null,
  kind text not null,
  name text not null,
  line int not null,
  summary text not null,
  body text not null,
  words tsvector not null generated always as (
    setweight(to_tsvector('english'::regconfig, translate(name, '._', '  ')), 'A')
    || setweight(to_tsvector('english'::regconfig, summary), 'B')
    || setweight(to_tsvector('english'::regconfig, body), 'C')
  ) stored,
  primary key (file, number)
);
create index if not exists document_words on demo.document using gin (words);
