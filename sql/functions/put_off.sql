-- The part of submit() for runs that are debounced: the latest enqueue counts. For each of p_ids the run that waits under the key of
-- its arguments, itself where none did. One that did is asked what the latest is asked (arguments, tags, metadata, options, parent,
-- trace, placement), and is due again at p_due, at most max seconds after it was first asked for; one that is due already goes as soon as it
-- can. Where it waits stays: its queue and its priority. created: whether it is ours. fresh, args and keys: of the runs to be made, each
-- with the latest input.
-- Rows of run are written once more by this, as long as nobody has begun them: a run is what was asked in the end.
-- p_spec: wait and max (default ten times wait) in seconds, and what debounce_keys() reads. Locks: those of hold_open(), the
-- rows of run of those that waited.
create or replace function howdah.put_off(
  p_task int, p_name text, p_limits jsonb, p_spec jsonb, p_ids bigint[], p_args text[], p_keys text[], p_due timestamptz, p_expires timestamptz,
  p_tags text[], p_metadata jsonb, p_options jsonb, p_parent bigint, p_root bigint, p_trace text, p_placement jsonb
) returns table (ids bigint[], created boolean[], fresh bigint[], args text[], keys text[])
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_longest interval := make_interval(secs => coalesce((p_spec ->> 'max')::double precision, 10 * (p_spec ->> 'wait')::double precision));
  v_words text[] := howdah.debounce_keys(p_name, p_spec, p_args, p_keys);
  v_places int[] := array(select dense_rank() over (order by u.word) from unnest(v_words) with ordinality u(word, n) order by u.n);
  v_keys text[];
  v_first bigint[];
  v_args text[];
  v_asked text[];
  v_demands jsonb[];
  v_holders bigint[];
  v_waiting bigint[];
  v_inputs text[];
  v_wanted jsonb[];
  v_sooner timestamptz;
  v_lowest bigint;
  v_highest bigint;
begin
  select array_agg('debounce ' || k.word order by k.word), array_agg(k.first order by k.word), array_agg(k.args order by k.word),
         array_agg(k.asked order by k.word)
  into v_keys, v_first, v_args, v_asked
  from (
    select u.word, (array_agg(u.id order by u.n))[1] as first, (array_agg(u.args order by u.n desc))[1] as args,
           (array_agg(u.keys order by u.n desc))[1] as asked
    from unnest(v_words, p_ids, p_args, p_keys) with ordinality u(word, id, args, keys, n) group by u.word
  ) k;
  if p_limits is not null then
    v_demands := howdah.demands(p_name, p_limits, v_args, v_asked);
    if p_parent is not null and jsonb_path_exists(p_limits, '$[*].kind ? (@ == "limit")') then
      perform howdah.check_nesting(p_name, v_demands, p_parent);
    end if;
  end if;
  v_holders := howdah.hold_open(p_task, v_keys, v_first, v_demands, p_placement);
  select array_agg(w.run order by w.run), array_agg(w.args order by w.run), array_agg(w.demands order by w.run)
  into v_waiting, v_inputs, v_wanted
  from unnest(v_holders, v_first, v_args, v_demands) w(run, id, args, demands) where w.run <> w.id;
  if v_waiting is not null then
    v_lowest := v_waiting[1];
    v_highest := v_waiting[cardinality(v_waiting)];
    with waiting as materialized (
      select t.id, t.due as before, w.demands, least(p_due, r.at + v_longest) as due
      from unnest(v_waiting, v_wanted) w(run, demands)
      join howdah.timer t on t.id = w.run
      cross join lateral (select x.at from howdah.run x where x.id = w.run and x.id between v_lowest and v_highest offset 0) r
    ), later as (
      update howdah.timer t
      set due = w.due, expires = p_expires - (p_due - w.due), flags = t.flags & ~160 | howdah.demand_flags(w.demands),
          line = case when w.demands is not null or p_placement is not null
                      then howdah.line_of(t.queue, t.task, coalesce(w.demands, '[]'), p_placement) end
      from waiting w where t.id = w.id
    )
    select min(w.due) filter (where w.due < w.before) into v_sooner from waiting w;
    if v_sooner < howdah.clock() + interval '30 seconds' then
      perform howdah.tell('howdah_timer', greatest(0, extract(epoch from v_sooner - howdah.clock()))::text);
    end if;
    -- Written, and not only locked: a claim whose snapshot is older must not take it with the input that it sees.
    update howdah.job j set flags = j.flags where j.id = any(v_waiting);
    -- By place in the sorted array: a join would read whatever lies between the lowest and the highest of them.
    update howdah.run r
    set args = v_inputs[width_bucket(r.id, v_waiting)]::json, placement = p_placement,
        demands = coalesce(v_wanted[width_bucket(r.id, v_waiting)], case when p_placement is not null then '[]'::jsonb end),
        tags = p_tags, metadata = p_metadata, parent = p_parent, root = p_root, trace = p_trace,
        options = coalesce(p_options, '{}') || jsonb_build_object(
          'due', coalesce(to_jsonb((select t.due from howdah.timer t where t.id = r.id)), r.options -> 'due'))
    where r.id = any(v_waiting) and r.id between v_lowest and v_highest;
  end if;
  ids := array(select v_holders[u.place] from unnest(v_places) with ordinality u(place, n) order by u.n);
  created := array(select u.held = u.id from unnest(ids, p_ids) with ordinality u(held, id, n) order by u.n);
  select array_agg(w.id), array_agg(w.args), array_agg(w.asked) into fresh, args, keys
  from unnest(v_holders, v_first, v_args, v_asked) w(run, id, args, asked) where w.run = w.id;
  fresh := coalesce(fresh, '{}');
  return next;
end
$$;
