-- Refuses runs that would wait for ever: they demand a permit of a key of which their parent, or one of its, keep as many until their
-- own end as there are. A run that has ended waits for nobody, so the walk ends there. What is paused or blocked is no matter of this:
-- somebody opens it again. 22023. Takes no locks.
create or replace function howdah.check_nesting(p_task text, p_demands jsonb[], p_parent bigint) returns void
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_name text;
  v_key text;
  v_runs bigint[];
  v_number int;
begin
  with recursive above as (
    select r.id, r.parent, r.demands, 1 as n from howdah.run r where r.id = p_parent and howdah.is_pending(r.id)
    union all
    select r.id, r.parent, r.demands, a.n + 1 from above a join howdah.run r on r.id = a.parent where a.n < 100 and howdah.is_pending(r.id)
  ), kept as (
    select d ->> 0 as name, d ->> 1 as key, array_agg(a.id order by a.n) as runs
    from above a cross join jsonb_array_elements(a.demands) d where d ->> 5 is not null group by 1, 2
  )
  select k.name, k.key, k.runs, t.number into v_name, v_key, v_runs, v_number
  from kept k
  join howdah.limit_terms l on l.name = k.name
  left join howdah.limit_key o on o.name = k.name and o.key = k.key
  cross join lateral (select (coalesce(o.terms, l.terms, l.said) ->> 'number')::int as number) t
  where cardinality(k.runs) >= t.number
    and exists (select from unnest(p_demands) m cross join jsonb_array_elements(m) e where e ->> 0 = k.name and e ->> 1 = k.key)
  limit 1;
  if found and v_number = 1 then
    raise exception 'this run of % would wait for ever: run %, which it would be a child of, keeps the only permit of limit % under the key "%" until it has ended',
      p_task, v_runs[1], v_name, v_key
      using errcode = '22023', hint = 'Enqueue it outside of that run, or leave hold="run" out.';
  elsif found then
    raise exception 'this run of % would wait for ever: runs %, which it would be a child of, keep all % permits of limit % under the key "%" until they have ended',
      p_task, array_to_string(v_runs, ', '), v_number, v_name, v_key
      using errcode = '22023', hint = 'Enqueue it outside of these runs, leave hold="run" out, or raise the limit.';
  end if;
end
$$;
