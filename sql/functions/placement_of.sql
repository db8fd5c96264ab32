-- Where a run may go and where best, to be stored with it: what the options say, word by word, in the place of what its task says
-- (p_task); see checked_placement(). Where it is sticky, node is the name of the node that its parent is on or was on last; without a
-- parent, or where that node is no more, it is not sticky. prefer_for stands there wherever something is preferred: 5 seconds unless
-- somebody says otherwise. Null: anywhere. Takes no locks.
create or replace function howdah.placement_of(p_name text, p_task jsonb, p_options jsonb, p_parent bigint) returns jsonb
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_said jsonb := coalesce(p_task, '{}');
  v_node bigint;
  v_name text;
  v_prefer_for_s constant double precision := 5;
begin
  if p_options ?| '{requires,prefers,prefer_for,sticky}' then
    v_said := v_said || (
      select jsonb_object_agg(o.key, o.value) from jsonb_each(p_options) o where o.key in ('requires', 'prefers', 'prefer_for', 'sticky')
    );
    perform howdah.checked_placement(p_name, v_said);
  end if;
  if v_said ? 'sticky' then
    select j.node into v_node from howdah.job j where j.id = p_parent and j.node is not null;
    if not found then
      select e.node into v_node
      from howdah.run r cross join lateral (
        select e.node from howdah.event e where e.task = r.task and e.run = r.id and e.node is not null order by e.at desc limit 1
      ) e
      where r.id = p_parent;
    end if;
    select n.name into v_name from howdah.node n where n.id = v_node and n.until > howdah.clock();
    if found then
      v_said := v_said || jsonb_build_object('node', v_name);
    else
      v_said := v_said - 'sticky';
    end if;
  end if;
  select coalesce(jsonb_object_agg(s.key, s.value), '{}') into v_said from jsonb_each(v_said) s where s.value <> '{}';
  if not (v_said ? 'prefers' or coalesce(v_said ->> 'sticky', '') = 'soft') then
    v_said := v_said - 'prefer_for';
  elsif not v_said ? 'prefer_for' then
    v_said := v_said || jsonb_build_object('prefer_for', v_prefer_for_s);
  end if;
  return nullif(v_said, '{}');
end
$$;
