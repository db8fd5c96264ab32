-- submit() for a task that may not be in the catalogue yet: it is put there first, with the queue, the priority, the defaults
-- and the limits that its definition has. For a caller's own connection, whose rollback takes both away again.
-- Locks: the unique entry of a new name.
create or replace function howdah.submit_new(
  p_task text, p_args text[], p_options jsonb, p_notify boolean, p_queue text, p_priority smallint, p_defaults jsonb,
  p_limits jsonb default null, p_keys text[] default null
) returns table (ids bigint[], queue int, task int, priority smallint, due_s double precision, created boolean[])
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform howdah.introduce(p_task, p_queue, p_priority, p_defaults, p_limits);
  return query select * from howdah.submit(p_task, p_args, p_options, p_notify, p_keys) s;
end
$$;
