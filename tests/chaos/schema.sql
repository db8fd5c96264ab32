-- What the runs of a storm leave behind (chaos.effect, chaos.booking), what is kept of nodes that were taken off the list
-- (chaos.gone), and the diaries, which are read in afterwards.
create schema chaos;

create table chaos.effect (run bigint not null, lease bigint, node bigint, attempt int, at timestamptz not null default clock_timestamp());
create table chaos.booking (mark text primary key);

create table chaos.gone (node bigint not null, pid int, renewed timestamptz, until timestamptz, at timestamptz not null);
create function chaos.keep_gone() returns trigger language plpgsql as $$
begin
  insert into chaos.gone (node, pid, renewed, until, at) values (old.id, old.pid, old.renewed, old.until, statement_timestamp());
  return null;
end
$$;
create trigger keep_gone after delete on howdah.node for each row execute function chaos.keep_gone();

-- What runs with limits held, by the instants of the transactions that admitted and freed them.
create table chaos.permit (run bigint not null, lease bigint not null, node bigint not null, taken timestamptz not null, freed timestamptz);
create index on chaos.permit (run);
create function chaos.note_permit() returns trigger language plpgsql as $$
begin
  if old.lease is not null then
    update chaos.permit p set freed = clock_timestamp() where p.run = old.id and p.lease = old.lease and p.freed is null;
  end if;
  if tg_op = 'UPDATE' then
    if new.lease is not null then
      insert into chaos.permit (run, lease, node, taken) values (new.id, new.lease, new.node, clock_timestamp());
    end if;
  end if;
  return null;
end
$$;
create trigger note_permit after update on howdah.job for each row
  when (new.line is not null and old.lease is distinct from new.lease) execute function chaos.note_permit();
create trigger note_permit_ended after delete on howdah.job for each row
  when (old.line is not null and old.lease is not null) execute function chaos.note_permit();

-- What each limit, or one of its keys (of which number is null where its limit's counts), allowed from when on.
create table chaos.terms (name text not null, key text, number int, paused boolean not null default false, at timestamptz not null);
create function chaos.note_terms() returns trigger language plpgsql as $$
begin
  insert into chaos.terms (name, number, paused, at)
  values (new.name, (coalesce(new.terms, new.said) ->> 'number')::int, new.paused, clock_timestamp());
  return null;
end
$$;
create trigger note_terms after insert or update on howdah.limit_terms for each row execute function chaos.note_terms();
create function chaos.note_key() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    insert into chaos.terms (name, key, at) values (old.name, old.key, clock_timestamp());
  else
    insert into chaos.terms (name, key, number, paused, at)
    values (new.name, new.key, (new.terms ->> 'number')::int, new.paused or new.blocked is not null, clock_timestamp());
  end if;
  return null;
end
$$;
create trigger note_key after insert or update or delete on howdah.limit_key for each row execute function chaos.note_key();

-- The most that a limit allowed under a key at any moment between these. Null: it is none that counts runs.
create function chaos.allowed(p_name text, p_key text, p_since timestamptz, p_until timestamptz) returns int language sql stable as $$
  with span as (
    select t.key, t.number, t.paused, t.at, lead(t.at, 1, 'infinity') over (partition by t.key order by t.at) as until
    from chaos.terms t where t.name = p_name and (t.key is null or t.key = p_key)
  ), seen as (
    select * from span s where s.at <= p_until and s.until >= p_since
  )
  select case when bool_and(s.paused) filter (where s.key is null) then 0 else greatest(
    max(case when s.paused then 0 else s.number end) filter (where s.key is not null),
    case when coalesce(min(s.at) filter (where s.key is not null) > p_since, true) or bool_or(s.key is not null and s.number is null and not s.paused)
      then max(s.number) filter (where s.key is null and not s.paused) end
  ) end from seen s
$$;

create table chaos.attempt (
  run bigint not null, lease bigint not null, node bigint not null, attempt int, process text not null,
  began timestamptz not null, ended timestamptz, how text
);
create table chaos.promise (mark text not null, run bigint not null, task text not null, created boolean not null, at timestamptz not null);
create table chaos.unknown (mark text not null, task text not null, at timestamptz not null);
create table chaos.cancel (run bigint not null, answer text not null, at timestamptz not null);
create table chaos.fault (
  number int not null, kind text not null, variant text not null, target text, began timestamptz not null, ended timestamptz not null
);
-- A process that was started here, and when it was gone.
create table chaos.process (name text not null, pid int not null, began timestamptz not null, ended timestamptz not null, why text not null);
