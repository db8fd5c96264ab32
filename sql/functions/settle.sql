-- Applies what events mean for others, exactly once, by whoever comes first: tells the waiters of ended runs, frees unique
-- keys, cancels the children of cancelled runs, and starts handlers and subscribers of facts.
-- Call it right after the commit, outside of a transaction; a crash in between is found by the next call.
-- Locks: inbox rows with skip locked, then those of cancel(), then held_key entries with skip locked (one that
-- somebody holds is freed by whoever wants it, or swept).
-- Does not wait for the disk: the log keeps the order. Returns rows taken.
create or replace function howdah.settle() returns int
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_runs bigint[];
  v_freed bigint[];
  v_cancelled bigint[];
  v_after bigint[];
  v_failed bigint[];
  v_facts jsonb;
  v_count int;
  v_chunk int := 400;
begin
  perform set_config('synchronous_commit', 'off', true);
  with first as materialized (
    select i.id from howdah.inbox i order by i.id limit 10000 for update skip locked
  ), taken as (
    delete from howdah.inbox i where i.id = any(array(select f.id from first f)) returning i.run, i.what, i.data
  )
  select array_agg(t.run) filter (where t.what = 'ended'), array_agg(t.run) filter (where t.what = 'freed'),
         array_agg(t.run) filter (where t.what = 'cancelled'),
         array_agg(coalesce((t.data ->> 'after')::bigint, t.run)) filter (where t.what = 'cancelled'), array_agg(t.run) filter (where t.what = 'failed'),
         jsonb_agg(t.data || jsonb_build_object('fact', t.what)) filter (where t.data ? 'fact' or t.what like '%.%'), count(*)
  into v_runs, v_freed, v_cancelled, v_after, v_failed, v_facts, v_count from taken t;
  -- First, as it alone waits for others: nobody waits for a key that it would hold meanwhile.
  if v_cancelled is not null then
    perform howdah.cancel_children(v_cancelled, v_after);
  end if;
  if v_freed is not null then
    with held as materialized (
      select h.task, h.key from howdah.held_key h
      where h.owner = any(v_freed) and h.run = h.owner and h.until is null order by h.task, h.key for update skip locked
    )
    delete from howdah.held_key h using held d where h.task = d.task and h.key = d.key;
  end if;
  if v_failed is not null then
    perform howdah.tell_failures(v_failed);
  end if;
  if v_facts is not null then
    perform howdah.tell_facts(v_facts);
  end if;
  for i in 0 .. (coalesce(cardinality(v_runs), 0) - 1) / v_chunk loop
    exit when v_runs is null;
    perform howdah.tell('howdah_done', array_to_string(v_runs[i * v_chunk + 1 : (i + 1) * v_chunk], ' '));
  end loop;
  return v_count;
end
$$;
