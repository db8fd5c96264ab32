-- What the ends of runs mean for others, put into inbox: waiters are told, unique keys are freed, children of a
-- cancelled run are cancelled, and handlers and subscribers hear of failures. Runs that kept permits (64) have them no more: the gate is
-- told, and where one that failed is to hold up its key (128), that is written down. Returns how many effects there are.
-- Locks: entries of limit_key where a failure blocks.
create or replace function howdah.note_ends(p_runs bigint[], p_flags smallint[], p_kinds smallint[]) returns bigint
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  -- Whether the task has a handler is asked of what it is now: the run may be older than its handler.
  v_heard boolean := p_kinds && '{2,18,21,22}' and (
    exists (select from howdah.subscriber s where s.fact = 'run.failed') or exists (select from howdah.task t where t.flags & 16 <> 0)
  );
  v_count bigint;
begin
  if exists (select from unnest(p_flags) f where f & 64 <> 0) then
    perform howdah.end_kept(p_runs, p_flags, p_kinds);
  end if;
  insert into howdah.inbox (run, what)
  select e.run, w.what
  from unnest(p_runs, p_flags, p_kinds) e(run, flags, kind)
  cross join lateral (
    values ('ended', e.flags & 2 <> 0), ('freed', e.flags & 8 <> 0), ('cancelled', e.kind in (3, 17)),
           ('failed', e.kind in (2, 18, 21, 22) and v_heard)
  ) w(what, applies)
  where w.applies;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;
