-- The part of note_ends() for runs that kept permits over all their attempts (flag 64): the gate is told that they have them no more.
-- One that failed (kinds 2, 21, 22) and whose failure is to hold up its key (flag 128) blocks it, until it is retried or the key is
-- resumed. Locks: entries of limit_key, by name and key.
create or replace function howdah.end_kept(p_runs bigint[], p_flags smallint[], p_kinds smallint[]) returns void
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_low bigint;
  v_high bigint;
begin
  select min(u), max(u) into v_low, v_high from unnest(p_runs) u;
  insert into howdah.limit_key as k (name, key, blocked)
  select d ->> 0, d ->> 1, max(r.id)
  from unnest(p_runs, p_flags, p_kinds) e(run, flags, kind)
  cross join lateral (select r.id, r.demands from howdah.run r where r.id = e.run and r.id between v_low and v_high offset 0) r
  cross join jsonb_array_elements(r.demands) d
  where e.flags & 192 = 192 and e.kind in (2, 21, 22) and d ->> 5 = 'block'
  group by d ->> 0, d ->> 1 order by 1, 2
  on conflict (name, key) do update set blocked = excluded.blocked;
  perform howdah.tell('howdah_gate', 'over ' || string_agg(e.run::text, ' '))
  from unnest(p_runs, p_flags) with ordinality e(run, flags, n) where e.flags & 64 <> 0 group by e.n / 400;
end
$$;
