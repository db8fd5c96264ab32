-- For each key of a task the run that holds it: ours (p_ids, one for each key) where it was free, another where it was not.
-- A key whose time is over, or whose run has ended before it was freed, is free. p_owner: whose end frees the keys; null:
-- each run's own. p_until: how long they are held whatever ends; null: until then.
-- Insert, then look in a statement of its own: one that lost the race cannot see the winner's row. A holder that has not
-- committed is waited for; under stricter isolation one that this transaction cannot see raises 40001.
-- Locks: entries of held_key, in the order of the keys.
create or replace function howdah.hold_keys(p_task int, p_keys text[], p_ids bigint[], p_owner bigint, p_until timestamptz) returns bigint[]
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_missing bigint;
  v_stale text[];
  v_gone bigint[];
  v_holders bigint[];
begin
  loop
    insert into howdah.held_key (task, key, run, owner, until)
    select p_task, k.key, k.run, coalesce(p_owner, k.run), p_until
    from (select distinct on (u.key) u.key, u.run from unnest(p_keys, p_ids) with ordinality u(key, run, n) order by u.key, u.n) k
    order by k.key
    on conflict (task, key) do nothing;
    select count(*) filter (where h.run is null),
           array_agg(h.key order by h.key) filter (where h.stale), array_agg(h.run order by h.key) filter (where h.stale),
           array_agg(h.run order by u.n)
    into v_missing, v_stale, v_gone, v_holders
    from unnest(p_keys) with ordinality u(key, n)
    left join lateral (
      select k.key, k.run, k.run <> all (p_ids) and case
        when k.until is not null then k.until <= howdah.clock()
        when k.owner <> k.run then false
        else not howdah.is_pending(k.run)
      end as stale
      from howdah.held_key k where k.task = p_task and k.key = u.key
    ) h on true;
    if v_missing = 0 and v_stale is null then
      return v_holders;
    end if;
    -- Pair by pair: meanwhile somebody else may have freed a key, and a run that lives may hold it.
    with held as materialized (
      select h.key from (select distinct * from unnest(v_stale, v_gone) u(key, run)) s
      join howdah.held_key h on h.task = p_task and h.key = s.key and h.run = s.run order by h.key for update of h
    )
    delete from howdah.held_key h using held d where h.task = p_task and h.key = d.key;
  end loop;
end
$$;
