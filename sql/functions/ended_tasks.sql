-- The tasks that can have runs with an end of these kinds: those given, else those that the roll-up or a tally still to be
-- rolled up has seen, of these queues or of all. Never reads history. Takes no locks.
create or replace function howdah.ended_tasks(p_kinds smallint[], p_queues int[], p_tasks int[]) returns int[]
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  if p_tasks is not null then
    return p_tasks;
  end if;
  return array(
    select t.task from howdah.total t where t.kind = any(p_kinds) and t.n > 0 and (p_queues is null or t.queue = any(p_queues))
    union
    select t.task from howdah.tally t where t.kind = any(p_kinds) and t.n > 0 and (p_queues is null or t.queue = any(p_queues))
  );
end
$$;
