-- What the catalogue knows of a task by this name: whether a program defines it, and the json schema of its arguments (null: none can
-- be given). No row: nobody has named it yet. For whoever enqueues by name, which needs no more of the catalogue. Takes no locks.
create or replace function howdah.task_input(p_task text) returns table (implemented boolean, input jsonb)
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
  begin atomic
    select t.implemented, t.input from howdah.task t where t.name = p_task;
  end;
