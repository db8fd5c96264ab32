-- Puts the runs of a task that wait under the limits that it has now, see limit_runs(), and marks those that are held (flag 2048): they
-- come under them when they wait again. Answers whether some had a line already: the gate remembers them as they were.
-- Locks: the job, then timer, then misfit rows of the task, each in id order.
create or replace function howdah.limit_pending(p_task int) returns boolean
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_jobs bigint[];
  v_held bigint[];
  v_runs bigint[];
  v_lined boolean;
begin
  -- Those that are locked here and no others: what is enqueued meanwhile may be claimed at once. Held ones first: while they are
  -- locked none of them becomes a timer or a misfit that the next statements would not see.
  with pending as materialized (
    select j.id, j.lease, j.line from howdah.job j where j.task = p_task order by j.id for update
  )
  select array_agg(p.id) filter (where p.lease is null), array_agg(p.id) filter (where p.lease is not null),
         coalesce(bool_or(p.line is not null) filter (where p.lease is null), false)
  into v_jobs, v_held, v_lined from pending p;
  update howdah.job j set flags = j.flags | 2048 where j.id = any(v_held);
  v_runs := coalesce(v_jobs, '{}')
    || array(select t.id from howdah.timer t where t.task = p_task order by t.id for update)
    || array(select m.id from howdah.misfit m where m.task = p_task order by m.id for update);
  if v_runs = '{}' or howdah.limit_runs(v_runs) = '{}' then
    return false;
  end if;
  perform howdah.tell('howdah_gate', 'look');
  return v_lined;
end
$$;
