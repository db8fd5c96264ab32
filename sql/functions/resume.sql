-- Takes back what howdah.pause() said of a queue, or of a task, and has nodes look for what has waited. What was not paused stays as it is.
-- Losing the notification costs latency: every node looks again in a while. Locks: the row of the pause.
create or replace function howdah.resume(queue text default null, task text default null) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
  v_paused record;
begin
  select * into v_paused from howdah.pausable(queue, task);
  delete from howdah.paused p where p.queue = v_paused.queue or p.task = v_paused.task;
  perform howdah.tell('howdah_pause', '');
  perform howdah.tell('howdah_gate', 'look');
end
$$;
