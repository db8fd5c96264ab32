-- Deletes what was kept under ids of runs whose day is gone (progress, keys of children and unique ones), keys whose time is over,
-- notes on the trimming of such days, what nodes were told that have not been here for a day, buckets that are full again and so say
-- nothing, and keys of limits that have nothing of their own any more: a batch of each. Answers how many rows went. Locks: the rows with skip locked; those of orders, which nobody holds for long, as they are.
create or replace function howdah.sweep(p_limit int) returns int
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_oldest bigint := howdah.oldest_day()::bigint << 40;
  v_count int;
  v_swept int := 0;
begin
  with gone as materialized (
    select p.run from howdah.progress p where p.run < v_oldest and not howdah.is_pending(p.run) order by p.run limit p_limit for update skip locked
  )
  delete from howdah.progress p using gone g where p.run = g.run;
  get diagnostics v_count = row_count;
  v_swept := v_swept + v_count;
  with gone as materialized (
    select h.task, h.key from howdah.held_key h
    where h.owner < v_oldest and h.until is null and not howdah.is_pending(h.owner) order by h.owner limit p_limit for update skip locked
  )
  delete from howdah.held_key h using gone g where h.task = g.task and h.key = g.key;
  get diagnostics v_count = row_count;
  v_swept := v_swept + v_count;
  with gone as materialized (
    select h.task, h.key from howdah.held_key h where h.until <= howdah.clock() order by h.until limit p_limit for update skip locked
  )
  delete from howdah.held_key h using gone g where h.task = g.task and h.key = g.key;
  get diagnostics v_count = row_count;
  v_swept := v_swept + v_count;
  -- A node that lost its lease comes back under its name, and is to hear what it was told meanwhile.
  delete from howdah.node_order o
  where o.at < howdah.clock() - interval '1 day' and not exists (select from howdah.node n where n.name = o.node);
  get diagnostics v_count = row_count;
  v_swept := v_swept + v_count;
  -- Not touched for an hour: by then a gate that knows of it knows that it is full, too.
  with gone as materialized (
    select b.name, b.key
    from howdah.bucket b join howdah.limit_terms l on l.name = b.name left join howdah.limit_key k on k.name = b.name and k.key = b.key
    cross join lateral (select coalesce(k.terms, l.terms, l.said) as terms) t
    where b.at < howdah.clock() - interval '1 hour'
      and b.level + date_part('epoch', howdah.clock() - b.at) * (t.terms ->> 'per_s')::double precision >= (t.terms ->> 'burst')::double precision
    limit p_limit for update of b skip locked
  )
  delete from howdah.bucket b using gone g where b.name = g.name and b.key = g.key;
  get diagnostics v_count = row_count;
  v_swept := v_swept + v_count;
  with gone as materialized (
    select k.name, k.key from howdah.limit_key k
    where k.terms is null and not k.paused and k.blocked is null limit p_limit for update skip locked
  )
  delete from howdah.limit_key k using gone g where k.name = g.name and k.key = g.key;
  get diagnostics v_count = row_count;
  v_swept := v_swept + v_count;
  delete from howdah.trim t where t.day < v_oldest >> 40;
  get diagnostics v_count = row_count;
  return v_swept + v_count;
end
$$;
