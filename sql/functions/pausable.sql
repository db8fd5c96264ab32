-- The number of the queue or of the task that is to be paused or resumed. A name that nobody has used is refused: to pause what
-- was not meant would help nobody. Takes no locks.
create or replace function howdah.pausable(p_queue text, p_task text) returns table (queue int, task int)
  language plpgsql stable
  set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  if num_nonnulls(p_queue, p_task) <> 1 then
    raise exception 'a queue or a task is paused and resumed, one of the two'
      using errcode = '22023', hint = 'For example: select howdah.pause(queue => ''mail'');';
  end if;
  return query select q.id, null::int from howdah.queue q where q.name = p_queue union all select null, t.id from howdah.task t where t.name = p_task;
  if not found then
    raise exception 'there is no % %', case when p_queue is null then 'task' else 'queue' end, coalesce(p_queue, p_task)
      using errcode = '22023', hint = 'howdah.queue_stats and howdah.task_stats list those that are known.';
  end if;
end
$$;
