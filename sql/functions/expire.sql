-- Ends runs that nobody started by their time as expired. Returns how many.
-- Locks: job and misfit rows with skip locked (a locked one is being claimed, cancelled or awaited, and is looked at again).
create or replace function howdah.expire(p_limit int) returns int
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_count int;
begin
  with late as materialized (
    select j.id, j.task from howdah.job j
    where j.expires <= howdah.clock() and j.lease is null and j.attempt = 0
    order by j.expires limit p_limit for update skip locked
  ), unfit as materialized (
    select m.id, m.task from howdah.misfit m
    where m.expires <= howdah.clock() and m.attempt = 0 order by m.expires limit p_limit for update skip locked
  )
  insert into howdah.event (run, task, kind)
  select l.id, l.task, 18 from (select * from late union all select * from unfit) l order by l.id;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;
