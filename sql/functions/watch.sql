-- Marks runs as awaited, so that their end is announced, and returns the outcomes of those that have ended already.
-- Write, commit, then look: flags are set under the row lock; a run without a hot row has its outcome in event.
-- Locks: job, then timer, then misfit rows, each in id order. A run between the tables is looked for again.
create or replace function howdah.watch(p_runs bigint[])
  returns table (run bigint, kind smallint, data json, attempt bigint, known boolean)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_left bigint[] := p_runs;
  v_found bigint[];
begin
  perform set_config('synchronous_commit', 'off', true);
  for i in 1 .. 5 loop
    with held as materialized (
      select j.id from howdah.job j where j.id = any(v_left) order by j.id for update
    ), marked as (
      update howdah.job j set flags = j.flags | 2 from held h where j.id = h.id returning j.id
    )
    select array(select unnest(v_left) except select m.id from marked m) into v_left;
    exit when cardinality(v_left) = 0;
    with held as materialized (
      select t.id from howdah.timer t where t.id = any(v_left) order by t.id for update
    ), marked as (
      update howdah.timer t set flags = t.flags | 2 from held h where t.id = h.id returning t.id
    )
    select array(select unnest(v_left) except select m.id from marked m) into v_left;
    exit when cardinality(v_left) = 0;
    with held as materialized (
      select m.id from howdah.misfit m where m.id = any(v_left) order by m.id for update
    ), marked as (
      update howdah.misfit m set flags = m.flags | 2 from held h where m.id = h.id returning m.id
    )
    select array(select unnest(v_left) except select m.id from marked m) into v_left;
    exit when cardinality(v_left) = 0;
    select array_agg(o.run) into v_found from howdah.outcomes(v_left) o;
    return query select o.run, o.kind, o.data, o.attempt, true from howdah.outcomes(v_left) o where o.run = any(v_found);
    v_left := array(select unnest(v_left) except select unnest(v_found));
    exit when cardinality(v_left) = 0;
    return query select u, null::smallint, null::json, null::bigint, false from unnest(v_left) u
      where not exists (select from howdah.run r where r.id = u);
    v_left := array(select r.id from howdah.run r where r.id = any(v_left));
    exit when cardinality(v_left) = 0;
  end loop;
end
$$;
