-- Cancels runs: one that waits ends now; one that runs is flagged, and its node is told. Returns for each run
-- whether it was cancelled, requested, had ended before, or is unknown. The reason is kept in the event.
-- The event is the newest of its run, also where this statement waited for one that reopened it: it began before that.
-- Locks: job, then timer, then misfit rows, each in id order. A run between them is looked for again.
create or replace function howdah.cancel(p_runs bigint[], p_reason text) returns table (run bigint, answer text)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_left bigint[] := array(select distinct unnest(p_runs));
  v_data json := case when p_reason is not null then json_build_object('reason', p_reason) end;
  v_waiting bigint[];
  v_running bigint[];
  v_ended bigint[];
  v_told text;
begin
  for i in 1 .. 10 loop
    with held as materialized (
      select j.id, j.lease, j.flags from howdah.job j where j.id = any(v_left) order by j.id for update
    )
    select array_agg(h.id) filter (where h.lease is null), array_agg(h.id) filter (where h.lease is not null and h.flags & 1 = 0),
           string_agg(h.id || ' ' || h.lease, ',') filter (where h.lease is not null),
           array(select unnest(v_left) except select h2.id from held h2)
    into v_waiting, v_running, v_told, v_left from held h;
    with held as materialized (
      select t.id from howdah.timer t where t.id = any(v_left) order by t.id for update
    )
    select v_waiting || array_agg(h.id), array(select unnest(v_left) except select h2.id from held h2)
    into v_waiting, v_left from held h;
    with held as materialized (
      select m.id from howdah.misfit m where m.id = any(v_left) order by m.id for update
    )
    select v_waiting || array_agg(h.id), array(select unnest(v_left) except select h2.id from held h2)
    into v_waiting, v_left from held h;
    if cardinality(v_waiting) > 0 then
      insert into howdah.event (run, task, kind, at, data)
      select r.id, r.task, 17,
             greatest(howdah.clock(), (select max(v.at) from howdah.event v where v.task = r.task and v.run = r.id) + interval '1 microsecond'), v_data
      from unnest(v_waiting) w join howdah.run r on r.id = w;
      return query select w, 'cancelled' from unnest(v_waiting) w;
    end if;
    if cardinality(v_running) > 0 then
      insert into howdah.event (run, task, kind, at, data)
      select r.id, r.task, 16,
             greatest(howdah.clock(), (select max(v.at) from howdah.event v where v.task = r.task and v.run = r.id) + interval '1 microsecond'), v_data
      from unnest(v_running) u join howdah.run r on r.id = u;
    end if;
    if v_told is not null then
      return query select split_part(t, ' ', 1)::bigint, 'requested' from unnest(string_to_array(v_told, ',')) t;
      perform howdah.tell('howdah_cancel', part)
      from (select string_agg(t, ',') as part from unnest(string_to_array(v_told, ',')) with ordinality u(t, n) group by n / 200) parts;
    end if;
    select array_agg(o.run) into v_ended from howdah.outcomes(v_left) o;
    return query select u, 'ended' from unnest(v_ended) u;
    v_left := array(select r.id from unnest(v_left) u join howdah.run r on r.id = u where r.id <> all (coalesce(v_ended, '{}')));
    exit when cardinality(v_left) = 0;
  end loop;
  return query select u, 'unknown' from unnest(p_runs) u where not exists (select from howdah.run r where r.id = u);
end
$$;
