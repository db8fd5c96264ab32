-- Has no run of a queue, or of a task, start on any node until it is resumed; one of the two is named. What runs goes on, enqueues, timers
-- and expiry go on, and what nodes had claimed in advance goes back when they hear of it; a claim that is under way may still give some. Said
-- again it changes nothing. The row is what counts, for every claim that begins after this has committed: the notification only
-- spares nodes to start what they hold. Locks: the unique entry of the pause.
create or replace function howdah.pause(queue text default null, task text default null) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
  v_paused record;
begin
  select * into v_paused from howdah.pausable(queue, task);
  insert into howdah.paused (queue, task) values (v_paused.queue, v_paused.task) on conflict do nothing;
  perform howdah.tell('howdah_pause', coalesce('queue ' || v_paused.queue, 'task ' || v_paused.task));
  perform howdah.tell('howdah_gate', 'look');
end
$$;
