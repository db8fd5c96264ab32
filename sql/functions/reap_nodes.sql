-- Returns what nodes that are no more held: ready again at once, or cancelled where that was asked for.
-- Reads the whole of job: it holds only what is pending, and crashes are rare; an index would cost each claim.
-- Locks: the job rows held, in id order.
create or replace function howdah.reap_nodes(p_nodes bigint[]) returns int
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_back bigint[];
  v_stopped bigint[];
begin
  with held as materialized (
    select j.id, j.flags from howdah.job j where j.node = any(p_nodes) order by j.id for update
  )
  select array_agg(h.id) filter (where h.flags & 1 = 0), array_agg(h.id) filter (where h.flags & 1 <> 0)
  into v_back, v_stopped from held h;
  insert into howdah.event (run, kind) select b, 19 from unnest(v_back) b union all select s, 17 from unnest(v_stopped) s;
  perform howdah.wake(l.queue, l.task, l.priority, l.id)
  from (
    select distinct on (j.queue, j.task) j.queue, j.task, j.priority, j.id
    from howdah.job j where j.id = any(v_back) order by j.queue, j.task, j.priority, j.id
  ) l;
  return coalesce(cardinality(v_back), 0) + coalesce(cardinality(v_stopped), 0);
end
$$;
