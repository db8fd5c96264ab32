-- A node states what a task is. Runs that SQL enqueued before anybody had defined the task take over its queue.
-- Locks: the catalogue row, then the unclaimed job and timer rows of such a task in id order.
create or replace function howdah.register(p_name text, p_queue text, p_priority smallint, p_defaults jsonb, p_input jsonb, p_output jsonb, p_hash text)
  returns int
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_id int := howdah.introduce(p_name, p_queue, p_priority, p_defaults);
  v_queue int := howdah.queue_id(p_queue);
  v_old howdah.task;
begin
  select * into v_old from howdah.task t where t.id = v_id for update;
  if v_old.implemented and v_old.hash is not distinct from p_hash then
    return v_id;
  end if;
  update howdah.task t
  set queue = v_queue, priority = -p_priority, defaults = p_defaults, input = p_input, output = p_output, hash = p_hash,
      implemented = true, changed = howdah.clock()
  where t.id = v_id;
  if not v_old.implemented and v_old.queue <> v_queue then
    with held as materialized (
      select j.id from howdah.job j where j.task = v_id and j.queue = v_old.queue and j.lease is null order by j.id for update
    )
    update howdah.job j set queue = v_queue from held where j.id = held.id;
    with held as materialized (
      select r.id from howdah.timer r where r.task = v_id and r.queue = v_old.queue order by r.id for update
    )
    update howdah.timer r set queue = v_queue from held where r.id = held.id;
  end if;
  return v_id;
end
$$;
