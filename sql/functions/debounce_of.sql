-- How an enqueue of a task is debounced: what the caller says of it, then what the task says. wait is there,
-- positive, and no longer than max.
-- 22023: it cannot be, or not together with the caller's other options. p_notify null: many callers share the statement, who would
-- all wait for whoever holds the key of one. Takes no locks.
create or replace function howdah.debounce_of(p_id int, p_task text, p_options jsonb, p_notify boolean) returns jsonb
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_spec jsonb := jsonb_strip_nulls(
    coalesce((select t.defaults -> 'debounce' from howdah.task t where t.id = p_id), '{}') || coalesce(p_options -> 'debounce', '{}'));
  v_other text;
begin
  if p_notify is null then
    raise exception 'runs of % are debounced, and enqueued by submit(), each caller for itself', p_task using errcode = '22023';
  end if;
  select k into v_other from jsonb_object_keys(p_options) k where k = any ('{delay,at,unique_key,unique_args,unique_for,child}');
  if found then
    raise exception 'runs of % are debounced, which says when they start and that one of a kind waits: % cannot be said as well', p_task, v_other
      using errcode = '22023', hint = 'Leave one of the two out.';
  end if;
  if not coalesce((v_spec ->> 'wait')::double precision > 0, false) then
    raise exception 'the debounce of % does not say how long it waits for another enqueue', p_task
      using errcode = '22023', hint = 'For example: debounce => ''30 seconds''.';
  end if;
  return v_spec || jsonb_build_object('wait', least((v_spec ->> 'wait')::double precision, (v_spec ->> 'max')::double precision));
end
$$;
