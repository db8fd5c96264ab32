-- wake() in a short transaction of its own that does not wait for the disk: for enqueues on the app's own pool.
-- p_origin: who announces; nodes in that process have been told already. p_last: the last of the runs, which the gate is told of
-- where they go by it. Call it outside of a transaction.
-- Takes no locks of ours.
create or replace function howdah.hint(p_queue int, p_task int, p_priority smallint, p_id bigint, p_origin text, p_last bigint default null)
  returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_gated boolean;
begin
  perform set_config('synchronous_commit', 'off', true);
  v_gated := (select j.line is not null from howdah.job j where j.id = p_id);
  if coalesce(v_gated, exists (select from howdah.task t where t.id = p_task and (t.limits is not null or t.placement is not null))) then
    perform howdah.tell('howdah_gate', 'new ' || p_id || ' ' || coalesce(p_last, p_id));
  end if;
  if v_gated is not true then  -- Null: it started already. Others behind it wait, perhaps.
    perform howdah.tell('howdah_work', p_queue || ' ' || p_task || ' ' || p_priority || ' ' || p_id || ' ' || p_origin);
  end if;
end
$$;
