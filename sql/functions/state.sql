-- The state of a run, from one snapshot: its hot row if it has one, else its newest final event. Null: no such run,
-- or its day has been dropped. Takes no locks.
create or replace function howdah.state(p_run bigint) returns text
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
  begin atomic
    select coalesce(
      (select case when j.lease is not null then 'running' when j.line is not null then 'gated' else 'queued' end from howdah.job j where j.id = p_run),
      (select case when t.retrying then 'retrying' else 'scheduled' end from howdah.timer t where t.id = p_run),
      (select 'queued' from howdah.misfit m where m.id = p_run),
      (select k.state from howdah.run r join howdah.event v on v.task = r.task and v.run = r.id join howdah.kind k on k.id = v.kind and k.final
       where r.id = p_run order by v.at desc limit 1)
    );
  end;
