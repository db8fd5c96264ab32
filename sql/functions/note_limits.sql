-- Notes what the code says of the limits that a task names; what somebody set live stays until it is reset. The gate hears of it.
-- 22023: a limit is of another kind than the one that has its name. Locks: the rows of the limits that change, by name.
create or replace function howdah.note_limits(p_limits jsonb) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_other text;
  v_changed int;
begin
  if p_limits is null then
    return;
  end if;
  select l.name || ' is a ' || l.kind || ' already, and not a ' || (s ->> 'kind') into v_other
  from jsonb_array_elements(p_limits) s join howdah.limit_terms l on l.name = s ->> 'limit' and l.kind <> s ->> 'kind' limit 1;
  if found then
    raise exception 'the limit %', v_other using errcode = '22023', hint = 'Give the new one another name.';
  end if;
  insert into howdah.limit_terms as l (name, kind, said)
  select distinct on (s ->> 'limit') s ->> 'limit', s ->> 'kind', s -> 'terms' from jsonb_array_elements(p_limits) s
  where not exists (select from howdah.limit_terms t where t.name = s ->> 'limit' and t.said = s -> 'terms')
  order by 1
  on conflict (name) do update set said = excluded.said, changed = howdah.clock();
  get diagnostics v_changed = row_count;
  if v_changed > 0 then
    perform howdah.tell('howdah_gate', 'terms');
  end if;
end
$$;
