-- Gives a role what one kind of user needs, and nothing else, and remembers it for the migrations to come.
-- enqueue: submits runs, and cannot read them. node: runs a whole node, and what its handlers ask of ours; it can
-- neither change the schema nor drop history before its time. read: the views and the catalogue, no payloads.
-- As the owner only: it runs with the caller's rights, since nobody else may grant. Locks: the catalogue rows that a grant takes.
create or replace function howdah.permit(p_role name, p_kind text) returns void
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_functions name[];
  v_one record;
begin
  if p_kind is null or p_kind not in ('enqueue', 'node', 'read') then
    raise exception 'a role is permitted as enqueue, node or read, not as %', coalesce(p_kind, 'null') using errcode = '22023';
  end if;
  if not exists (select from pg_roles r where r.rolname = p_role) then
    raise exception 'there is no role %', p_role using errcode = '42704', hint = 'Create it first: create role ... login;';
  end if;
  v_functions := case p_kind
    when 'enqueue' then '{enqueue,submit,submit_all,submit_new,introduce,hint,enqueue_on_insert,task_input}'
    when 'node' then '{enqueue,submit,submit_all,submit_new,introduce,hint,enqueue_on_insert,task_input,
      register,queue_id,join_node,renew,leave_node,order_node,pause,resume,look,claim,claim_aside,recover,return_unknown,clock,complete,settle,asked,note_progress,
      keep,age,tend,old_days,drop_day,trim,sweep,thin_rates,watch,outcomes,state,cancel,retry,
      ready_since,report_queues,find_runs,count_runs,list_runs,show_runs,run_history,trouble,unimplemented_tasks,oldest_waiting,pace,standing,
      busy_queues,held_runs,checkup,
      gate_enter,gate_free,is_listed,gate_held,gate_look,gate_heads,gate_news,gate_terms,gate_buckets,gate_closed,gate_verdicts,gate_breakers,gate_note_breakers,gate_left,gate_over,gate_remind,
      gate_admit,gate_places,refuse,fetch_admitted,tell_gate,set_limit,pause_limit,resume_limit,
      close_buckets,label_node,unplaced_lines}'
    when 'read' then '{state,count_runs,clock,unimplemented_tasks,oldest_waiting,pace,standing,busy_queues,held_runs,checkup,unplaced_lines}'
  end;
  execute format('grant usage on schema howdah to %I', p_role);
  for v_one in
    select p.oid::regprocedure as called from pg_proc p
    where p.pronamespace = 'howdah'::regnamespace and p.proname = any(v_functions)
  loop
    execute format('grant execute on function %s to %I', v_one.called, p_role);
  end loop;
  -- Everybody looks whether the schema fits the code.
  execute format('grant select on howdah.migration to %I', p_role);
  if p_kind = 'node' then
    -- Without at and without the rights that a control event needs: see the checks of event.
    execute format('grant insert (run, lease, node, started, task, kind, delay, data, logs) on howdah.event to %I', p_role);
    execute format('grant select on howdah.installation, howdah.runs to %I', p_role);
    -- It has no columns and no rows: this is the right to lock it.
    execute format('grant delete on howdah.seat to %I', p_role);
  end if;
  if p_kind in ('node', 'enqueue') then
    execute format('grant select, insert on howdah.enqueue_view to %I', p_role);
  end if;
  if p_kind = 'read' then
    -- Without what people pass to tasks and get back.
    execute format('grant select (id, task, queue, state, priority, enqueued_at, due_at, started_at, ended_at, attempts, crashes, parent,'
                   ' root, tags, reason, node) on howdah.runs to %I', p_role);
  end if;
  if p_kind in ('node', 'read') then
    execute format('grant select on howdah.task, howdah.queue, howdah.kind, howdah.node, howdah.paused, howdah.limit_terms, howdah.limit_key, howdah.breaker to %I', p_role);
    execute format('grant select on howdah.unimplemented, howdah.unplaced, howdah.misfits, howdah.nodes, howdah.queue_stats, howdah.task_stats, howdah.limits to %I', p_role);
  end if;
  insert into howdah.role (name, kind) values (p_role, p_kind) on conflict do nothing;
end
$$;
