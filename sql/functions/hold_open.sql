-- For each debounce key of a task the run that waits under it, locked, or ours (p_ids, one for each key) where none does.
-- A run waits until a node is given it: whatever puts it back then takes its flag 512 away, and it gives its key to ours. So does one
-- that is ready and would demand other permits with the new input (p_demands, one for each key), or have another placement: the gate may be about to admit it
-- under those that it has.
-- Lock, then look in a statement of its own: what was waited for may have changed, and moved. As in hold_keys() one that has not committed is
-- waited for, and under stricter isolation what this transaction cannot see raises 40001.
-- Locks: entries of held_key in the order of the keys; job, then timer rows, each in id order. A run between them is looked for again.
create or replace function howdah.hold_open(p_task int, p_keys text[], p_ids bigint[], p_demands jsonb[], p_placement jsonb) returns bigint[]
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_holders bigint[];
  v_others bigint[];
  v_locked bigint[];
  v_closed text[];
  v_gone bigint[];
  v_again bigint;
  v_lowest bigint;
  v_highest bigint;
begin
  loop
    insert into howdah.held_key (task, key, run, owner)
    select p_task, u.key, u.run, u.run from unnest(p_keys, p_ids) u(key, run) order by u.key
    on conflict (task, key) do nothing;
    v_holders := array(
      select k.run from unnest(p_keys) with ordinality u(key, n)
      left join lateral (select h.run from howdah.held_key h where h.task = p_task and h.key = u.key offset 0) k on true
      order by u.n);
    select array_agg(u.holder), min(u.holder), max(u.holder) into v_others, v_lowest, v_highest
    from unnest(v_holders, p_ids) u(holder, id) where u.holder <> u.id;
    if v_others is null and array_position(v_holders, null) is null then
      return v_holders;
    end if;
    v_locked := array(select j.id from howdah.job j where j.id = any(v_others) and j.lease is null order by j.id for update);
    v_locked := v_locked || array(select t.id from howdah.timer t where t.id = any(v_others) order by t.id for update);
    select count(*) filter (where s.holder is null or (s.waits and s.holder <> all (v_locked))),
           array_agg(s.key order by s.key) filter (where not s.waits), array_agg(s.holder order by s.key) filter (where not s.waits)
    into v_again, v_closed, v_gone
    from (
      select u.key, u.holder,
        exists (select from howdah.timer t where t.id = u.holder and t.flags & 512 <> 0) or exists (
          select from howdah.job j where j.id = u.holder and j.flags & 512 <> 0 and j.lease is null and (
            (j.line is null and u.demands is null and p_placement is null) or exists (
              select from howdah.run r
              where r.id = u.holder and r.id between v_lowest and v_highest
                and r.demands = coalesce(u.demands, '[]') and r.placement is not distinct from p_placement))
        ) as waits
      from unnest(p_keys, v_holders, p_ids, p_demands) u(key, holder, id, demands) where u.holder is distinct from u.id
    ) s;
    if v_again = 0 and v_closed is null then
      return v_holders;
    end if;
    -- Pair by pair: meanwhile somebody else may have put a run in its place, which waits.
    with held as materialized (
      select h.key from unnest(v_closed, v_gone) s(key, run)
      join howdah.held_key h on h.task = p_task and h.key = s.key and h.run = s.run order by h.key for update of h
    )
    delete from howdah.held_key h using held d where h.task = p_task and h.key = d.key;
  end loop;
end
$$;
