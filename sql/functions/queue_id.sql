-- The number of a queue; a name that is new is added. The second look is a statement of its own, because one
-- that lost the race to insert cannot see the winner's row. Locks: the unique entry of a new name.
create or replace function howdah.queue_id(p_name text) returns int
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_id int;
begin
  if length(p_name) not between 1 and 200 then
    raise exception 'the name of a queue has % characters and not from 1 to 200', length(p_name) using errcode = '22023';
  end if;
  loop
    select q.id into v_id from howdah.queue q where q.name = p_name;
    if found then
      return v_id;
    end if;
    insert into howdah.queue (name) values (p_name) on conflict (name) do nothing;
  end loop;
end
$$;
