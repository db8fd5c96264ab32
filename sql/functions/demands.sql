-- What runs of a task demand, an array of [limit, key, cost, group, weight, hold] for each of p_args; see howdah.run.
-- p_limits: as howdah.task has them. A key, a cost or a group is where its path leads in the arguments, or what the producer has
-- worked out and gives in p_keys, an object for each run: {limit: key, "limit/cost": cost, "limit/group": group}; what "*" names
-- there stands for every key that is missing.
-- 22023: a key is missing or too long, or a cost is none: no run is ever admitted unkeyed. Takes no locks.
create or replace function howdah.demands(p_task text, p_limits jsonb, p_args text[], p_keys text[]) returns jsonb[]
  language plpgsql immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_demands jsonb[];
  v_missing jsonb;
  v_long text;
  v_worthless text;
  v_key_max int := 200;
begin
  with spec as materialized (
    select l.n as place, l.spec, l.spec ->> 'limit' as name, l.spec ->> 'default' as key_default,
      case when l.spec ? 'path' then array(select jsonb_array_elements_text(l.spec -> 'path')) end as path,
      case when l.spec ? 'asked' then l.spec ->> 'limit' end as word,
      case when not l.spec ?| '{path,asked}' then '' end as whole,
      l.spec ?| '{cost,cost_path,cost_asked}' as is_costly, coalesce(l.spec ->> 'cost', '1') as cost_default,
      case when l.spec ? 'cost_path' then array(select jsonb_array_elements_text(l.spec -> 'cost_path')) end as cost_path,
      case when l.spec ? 'cost_asked' then (l.spec ->> 'limit') || '/cost' end as cost_word,
      l.spec ?| '{group,group_asked}' as is_grouped,
      case when l.spec ? 'group' then array(select jsonb_array_elements_text(l.spec -> 'group')) end as group_path,
      case when l.spec ? 'group_asked' then (l.spec ->> 'limit') || '/group' end as group_word, l.spec ->> 'hold' as hold
    from jsonb_array_elements(p_limits) with ordinality l(spec, n)
  ), demand as (
    select f.n, s.place, s.spec, s.hold, s.name, coalesce(s.whole, f.args #>> s.path, f.keys ->> s.word, s.key_default, f.keys ->> '*') as key,
      case when s.is_costly then coalesce(f.args #>> s.cost_path, f.keys ->> s.cost_word, s.cost_default) end as cost,
      case when s.is_grouped then coalesce(f.args #>> s.group_path, f.keys ->> s.group_word, '') end as part
    from (
      select u.n, u.args::jsonb as args, u.keys::jsonb as keys from unnest(p_args, p_keys) with ordinality u(args, keys, n) offset 0
    ) f
    cross join spec s
  ), checked as (
    select d.n, d.place, d.spec, d.hold, d.name, d.key, d.part, coalesce(d.cost, '1') as cost,
      d.cost is null or (d.cost ~ '^[0-9]{1,150}(\.[0-9]{1,100})?(e[+-]?[0-9]{1,2})?$' and d.cost::double precision > 0) as is_worth,
      case when d.part is not null then coalesce(d.spec #>> array['weights', d.part], '1') else '1' end as weight
    from demand d
  ), told as (
    select c.n, jsonb_agg(
        case when c.hold is not null then jsonb_build_array(c.name, c.key, c.cost::double precision, c.part, c.weight::double precision, c.hold)
             when c.weight <> '1' then jsonb_build_array(c.name, c.key, c.cost::double precision, c.part, c.weight::double precision)
             when c.part is not null then jsonb_build_array(c.name, c.key, c.cost::double precision, c.part)
             when c.cost <> '1' then jsonb_build_array(c.name, c.key, c.cost::double precision)
             else jsonb_build_array(c.name, c.key) end order by c.place
      ) filter (where c.is_worth) as demands,
      min(c.name) filter (where not c.is_worth) as worthless, (jsonb_agg(c.spec) filter (where c.key is null)) -> 0 as missing,
      min(c.name) filter (where length(c.key) > v_key_max or length(c.part) > v_key_max) as long
    from checked c group by c.n
  )
  select array_agg(t.demands order by t.n), (array_agg(t.missing) filter (where t.missing is not null))[1], min(t.long), min(t.worthless)
  into v_demands, v_missing, v_long, v_worthless
  from told t;
  if v_missing ? 'path' then
    raise exception 'limit % of % has no key here: the arguments have no %', v_missing ->> 'limit', p_task,
      array_to_string(array(select jsonb_array_elements_text(v_missing -> 'path')), '.')
      using errcode = '22023', hint = 'A run without the key of its limit is never admitted: give the argument a value.';
  elsif v_missing is not null then
    raise exception 'limit % of % has a key that its function in Python works out, and nobody gave it', v_missing ->> 'limit', p_task
      using errcode = '22023', hint = format('Give it: keys => %L in SQL, .options(keys={%s: ...}) in Python, --key %s of `howdah enqueue`.',
        jsonb_build_object(v_missing ->> 'limit', '1'), v_missing -> 'limit', quote_literal((v_missing ->> 'limit') || '=1'));
  elsif v_long is not null then
    raise exception 'a key of limit % of % has more than % characters', v_long, p_task, v_key_max
      using errcode = '22023', hint = 'Take a digest of it.';
  elsif v_worthless is not null then
    raise exception 'the cost that limit % of % takes from its arguments is not a number above 0', v_worthless, p_task using errcode = '22023';
  end if;
  return v_demands;
end
$$;
