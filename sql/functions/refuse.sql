-- Ends runs that wait for the gate, as rejected (24) or skipped (25), since a limit of theirs is full and is to have that end; p_reasons
-- are kept. Newcomers alone: one that waits for its next attempt, was snoozed or released, or lost its node, has been admitted before
-- (flag 2048), or claimed while it had no limits, and waits. Answers those that it ended: one that is held or locked, or has ended, is
-- left out as well.
-- Locks: job rows with skip locked.
create or replace function howdah.refuse(p_runs bigint[], p_kinds smallint[], p_reasons text[]) returns table (run bigint)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  with held as materialized (
    select j.id, j.task, u.kind, u.reason
    from unnest(p_runs, p_kinds, p_reasons) u(run, kind, reason)
    cross join lateral (
      select w.id, w.task from howdah.job w where w.id = u.run and w.lease is null and w.line is not null
        and w.attempt = 0 and w.crashes = 0 and w.flags & 2048 = 0 for update skip locked
    ) j
  ), written as (
    insert into howdah.event (run, task, kind, data)
    select h.id, h.task, h.kind, json_build_object('reason', h.reason) from held h where h.kind in (24, 25) order by h.id
  )
  select h.id from held h;
end
$$;
