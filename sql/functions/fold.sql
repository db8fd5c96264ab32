-- Inserting an event is the transition: this trigger applies it to its own run, in the same transaction.
-- Outcomes of nodes (kinds below 16) count only under the pair (lease, node) that the hot row holds, checked pairwise.
-- What is rejected moves to stale_event (reject), and is told on the same connection by a notice before the statement
-- returns. Effects on others go to inbox, for settle(), and what was moved is tallied.
-- Locks: hot rows of exactly the runs given, driven in id order; never a row that another run may hold.
create or replace function howdah.fold() returns trigger
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_fenced bigint;
  v_moving bigint;
  v_control bigint;
  v_taken bigint[];
  v_moved bigint[];
  v_runs bigint[];
  v_flags smallint[];
  v_kinds smallint[];
  v_rejected json;
  v_count bigint;
begin
  if exists (select from arrived a where a.kind between 4 and 15) then
    -- Ends and moves are applied one after the other: both are locked in one order first.
    with e as materialized (
      select a.run, a.lease, a.node from arrived a where a.kind < 16 order by a.run
    )
    select count(*) into v_count
    from (select from e join howdah.job j on j.id = e.run and j.lease = e.lease and j.node = e.node for update of j) l;
  end if;
  with e as materialized (
    select a.run, a.lease, a.node, a.kind from arrived a order by a.run
  ), ended as (
    delete from howdah.job j using e
    where j.id = e.run and j.lease = e.lease and j.node = e.node and e.kind <= 3
    returning j.id, j.flags, j.queue, j.task, e.kind
  ), counted as (
    insert into howdah.tally (queue, task, kind, n, ready, running, later)
    select d.queue, d.task, d.kind, count(*), 0, -count(*), 0 from ended d group by d.queue, d.task, d.kind
  )
  select n.fenced, n.moving, n.control, d.taken, d.runs, d.flags, d.kinds
  into v_fenced, v_moving, v_control, v_taken, v_runs, v_flags, v_kinds
  from (
    select array_agg(id) as taken, array_agg(id) filter (where flags & 74 <> 0 or kind > 1) as runs,
           array_agg(flags) filter (where flags & 74 <> 0 or kind > 1) as flags,
           array_agg(kind) filter (where flags & 74 <> 0 or kind > 1) as kinds
    from ended
  ) d
  cross join (
    select count(*) filter (where kind < 16) as fenced, count(*) filter (where kind between 4 and 15) as moving,
           count(*) filter (where kind >= 16) as control
    from e
  ) n;
  if v_runs is not null and howdah.note_ends(v_runs, v_flags, v_kinds) > 0 then
    raise notice 'howdah.settle';
  end if;
  if v_moving > 0 then
    select howdah.fold_moves(array_agg(a.run order by a.run), array_agg(a.lease order by a.run), array_agg(a.node order by a.run),
                             array_agg(a.kind order by a.run), array_agg(a.at + coalesce(a.delay, interval '0') order by a.run))
    into v_moved from arrived a where a.kind between 4 and 15;
    v_taken := v_taken || v_moved;
  end if;
  if v_control > 0 then
    select howdah.fold_control(array_agg(a.run order by a.run), array_agg(a.kind order by a.run))
    into v_count from arrived a where a.kind >= 16;
    if v_count > 0 then
      raise notice 'howdah.settle';
    end if;
  end if;
  if v_fenced > coalesce(cardinality(v_taken), 0) then
    with gone as materialized (
      delete from howdah.event v using arrived a
      where v.task = a.task and v.run = a.run and v.at = a.at and v.lease = a.lease and v.node = a.node and v.kind = a.kind
        and v.kind < 16 and v.run <> all (coalesce(v_taken, '{}')) and v.xmin = pg_current_xact_id()::xid
      returning v as event
    )
    select howdah.reject(array_agg(g.event)) into v_rejected from gone g;
    if coalesce(json_array_length(v_rejected), 0) <> v_fenced - coalesce(cardinality(v_taken), 0) then
      raise exception 'a batch of events names a run twice' using errcode = 'HW003';
    end if;
    raise notice 'howdah.rejected' using detail = v_rejected::text;
  end if;
  return null;
end
$$;

create or replace trigger fold after insert on howdah.event
  referencing new table as arrived for each statement execute function howdah.fold();
