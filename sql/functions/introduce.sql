-- Puts a task that nobody has defined yet into the catalogue, so that its runs can wait for an implementation.
-- An existing row is left alone, save that one which SQL alone has named so far learns of the limits that its runs have.
-- Locks: the unique entry of a new name; where limits are learned, the task's row, and those of limit_pending().
create or replace function howdah.introduce(
  p_name text, p_queue text default 'default', p_priority smallint default 0, p_defaults jsonb default '{}', p_limits jsonb default null
) returns int
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_id int;
  v_limited boolean;
begin
  if length(p_name) not between 1 and 200 then
    raise exception 'the name of a task has % characters and not from 1 to 200', length(p_name) using errcode = '22023';
  end if;
  loop
    select t.id, t.limits is null and not t.implemented and p_limits is not null into v_id, v_limited from howdah.task t where t.name = p_name;
    if found and not v_limited then
      return v_id;
    elsif found then
      perform howdah.note_limits(p_limits);
      update howdah.task t set limits = p_limits where t.id = v_id;
      perform howdah.limit_pending(v_id);
      return v_id;
    end if;
    perform howdah.note_limits(p_limits);
    insert into howdah.task (name, queue, priority, flags, defaults, limits)
    values (p_name, howdah.queue_id(p_queue), -p_priority, howdah.task_flags(p_defaults), howdah.checked_defaults(p_name, p_defaults), p_limits)
    on conflict (name) do nothing;
  end loop;
end
$$;
