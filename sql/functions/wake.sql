-- Tells nodes that a queue has a run of a task, and the lowest key among the new ones. A hint: losing it
-- costs latency, never work. In a transaction that commits synchronously the cluster-wide notification
-- lock is held through the fsync; hint() is the form for after the commit. Takes no locks of ours.
create or replace function howdah.wake(p_queue int, p_task int, p_priority smallint, p_id bigint) returns bigint
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform howdah.tell('howdah_work', p_queue || ' ' || p_task || ' ' || p_priority || ' ' || p_id);
  return p_id;
end
$$;
