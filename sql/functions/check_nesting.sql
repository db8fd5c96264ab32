-- Refuses runs that would wait for ever: they demand a permit of a key of which their parent, or one of its, keeps one until its own
-- end, and there is only one. 22023. Takes no locks.
create or replace function howdah.check_nesting(p_task text, p_demands jsonb[], p_parent bigint) returns void
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text;
  v_key text;
  v_run bigint;
begin
  with recursive above as (
    select r.id, r.parent, r.demands, 1 as n from howdah.run r where r.id = p_parent
    union all
    select r.id, r.parent, r.demands, a.n + 1 from above a join howdah.run r on r.id = a.parent where a.n < 100
  )
  select d ->> 0, d ->> 1, a.id into v_name, v_key, v_run
  from above a cross join jsonb_array_elements(a.demands) d
  join howdah.limit_terms l on l.name = d ->> 0 and (coalesce(l.terms, l.said) ->> 'number')::int = 1
  where d ->> 5 is not null and howdah.is_pending(a.id)
    and exists (select from unnest(p_demands) m cross join jsonb_array_elements(m) e where e ->> 0 = d ->> 0 and e ->> 1 = d ->> 1)
  limit 1;
  if found then
    raise exception 'this run of % would wait for run %, its own parent, which keeps the only permit of limit % under the key "%" until it has ended',
      p_task, v_run, v_name, v_key
      using errcode = '22023', hint = 'Enqueue it outside of that run, or leave hold="run" out.';
  end if;
end
$$;
