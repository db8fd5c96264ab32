-- Sets for how many days the history of a queue's runs is kept; null: as long as the setting retention_days says. A queue that
-- is new is added. Locks: the queue's row.
create or replace function howdah.set_retention(p_queue text, p_days int) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_queue int := howdah.queue_id(p_queue);
begin
  update howdah.queue q set retention_days = p_days where q.id = v_queue;
end
$$;
