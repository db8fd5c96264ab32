-- Folds tallies into total and rate, so that nobody adds up many of them: a batch at a time, at most p_batches of them.
-- Safe on any node, at any time, twice: one works, the others pass. The sum of both stays the same at each moment.
-- Answers how many tallies were folded. Locks: advisory, then rows of total and rate, which nobody else writes.
create or replace function howdah.roll_up(p_batches int default 20) returns int
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_batch int := 5000;
  v_count int;
  v_folded int := 0;
begin
  if not exists (select from howdah.tally) or not pg_try_advisory_xact_lock(7738135626412) then
    return 0;
  end if;
  for i in 1 .. p_batches loop
    with taken as materialized (
      delete from howdah.tally t where t.ctid = any(array(select s.ctid from howdah.tally s limit v_batch))
      returning t.at, t.queue, t.task, t.kind, t.n, t.ready, t.running, t.later
    ), totalled as (
      insert into howdah.total as o (queue, task, kind, n, ready, running, later)
      select t.queue, t.task, coalesce(t.kind, 0), sum(t.n), sum(t.ready), sum(t.running), sum(t.later)
      from taken t group by t.queue, t.task, coalesce(t.kind, 0)
      on conflict (queue, task, kind) do update
      set n = o.n + excluded.n, ready = o.ready + excluded.ready, running = o.running + excluded.running, later = o.later + excluded.later
    ), rated as (
      insert into howdah.rate as o (at, queue, task, kind, n)
      select date_trunc('minute', t.at), t.queue, t.task, t.kind, sum(t.n)
      from taken t where t.kind is not null and t.n > 0 group by date_trunc('minute', t.at), t.queue, t.task, t.kind
      on conflict (at, queue, task, kind) do update set n = o.n + excluded.n
    )
    select count(*) into v_count from taken;
    v_folded := v_folded + v_count;
    exit when v_count < v_batch;
  end loop;
  return v_folded;
end
$$;
