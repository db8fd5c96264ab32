-- Keeps outcomes that came too late: as duplicate (we won before: a resend) or stale (the lease was lost). Says of each
-- who holds the run now, or ended it, by node and lease; subscribers of run.stale hear of it through inbox.
-- Takes no locks: the rows are the caller's own.
create or replace function howdah.reject(p_events howdah.event[]) returns json
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_rejected json;
begin
  with late as materialized (
    select g.*, case when exists (
      select from howdah.event v
      where v.task = g.task and v.run = g.run and v.lease = g.lease and v.node = g.node and v.kind < 16
        and v.xmin <> pg_current_xact_id()::xid
    ) then 'duplicate' else 'stale' end as verdict
    from unnest(p_events) g
  ), kept as (
    insert into howdah.stale_event (run, lease, node, at, started, task, kind, delay, data, logs, verdict)
    select l.run, l.lease, l.node, l.at, l.started, l.task, l.kind, l.delay, l.data, l.logs, l.verdict from late l
  ), owned as (
    select l.run, l.lease, l.verdict, l.node, o.lease as other_lease, o.node as other_node
    from late l
    left join lateral (
      select h.lease, h.node from (
        select j.lease, j.node, 'infinity'::timestamptz as at from howdah.job j where j.id = l.run and j.lease is not null
        union all
        select v.lease, v.node, v.at from howdah.event v
        where v.task = l.task and v.run = l.run and v.lease is not null and v.lease <> l.lease
      ) h order by h.at desc limit 1
    ) o on true
  ), told as (
    insert into howdah.inbox (run, what, data)
    select w.run, 'run.stale', to_jsonb(w) - 'verdict' from owned w
    where w.verdict = 'stale' and exists (select from howdah.subscriber s where s.fact = 'run.stale')
    returning run
  )
  select json_agg(w) into v_rejected from owned w;
  if exists (select from unnest(p_events)) and exists (select from howdah.subscriber s where s.fact = 'run.stale') then
    raise notice 'howdah.settle';
  end if;
  return v_rejected;
end
$$;
