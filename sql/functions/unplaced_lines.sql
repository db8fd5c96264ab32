-- Runs that wait since no living node is where they may go: by line, with what they require, the node that they are hard sticky to, and
-- why. Of at most p_limit lines that wait for the gate; those whose task no living node takes are in unimplemented_tasks(). One index
-- probe for each line. The view howdah.unplaced is its public face. Takes no locks.
create or replace function howdah.unplaced_lines(p_limit int)
  returns table (task text, queue text, since timestamptz, first_run bigint, requires jsonb, sticky_to text, why text)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_hashjoin = off set enable_mergejoin = off set enable_material = off set jit = off
as $$
#variable_conflict use_column
begin
  return query
  with recursive walk as (
    (select j.line, 1 as n from howdah.job j where j.line is not null and j.crashes < 2 order by j.line limit 1)
    union all
    select next.line, w.n + 1 from walk w
    cross join lateral (
      select j.line from howdah.job j where j.line is not null and j.crashes < 2 and j.line > w.line order by j.line limit 1
    ) next
    where w.n < p_limit
  ), head as materialized (
    select h.* from walk w
    cross join lateral (
      select j.id, j.queue, j.task from howdah.job j
      where j.line = w.line and j.line is not null and j.crashes < 2 and j.lease is null order by j.priority, j.id limit 1
    ) h
  ), placed as materialized (
    select h.id, h.queue, h.task, r.at, r.placement
    from head h cross join lateral (select r.at, r.placement from howdah.run r where r.id = h.id offset 0) r
    where r.placement is not null
  ), taker as materialized (
    select p.id, n.id as node, n.name, n.labels from placed p join howdah.node n
    on n.until > howdah.clock() and p.task = any(n.tasks) and (n.queues is null or p.queue = any(n.queues))
  )
  select t.name, q.name, p.at, p.id, p.placement -> 'requires', case when p.placement ->> 'sticky' = 'hard' then p.placement ->> 'node' end,
    case
      when p.placement ->> 'sticky' = 'hard' and not exists (select from taker k where k.id = p.id and k.name = p.placement ->> 'node')
        then format('it goes to node %s, which lives and does not take its task', p.placement ->> 'node')
      when p.placement ->> 'sticky' = 'hard' and exists (select from howdah.node n where n.name = p.placement ->> 'node' and n.until > howdah.clock())
        then format('it goes to node %s, which has not what it requires: %s', p.placement ->> 'node', p.placement -> 'requires')
      else coalesce((
        select 'no node that takes its task has ' || string_agg(format('%s: %s', r.key, r.value), ', ' order by r.key)
        from jsonb_each(p.placement -> 'requires') r
        where not exists (select from taker k where k.id = p.id and howdah.fits(k.labels -> r.key, r.value))
      ), format('no node that takes its task has all that it requires: %s', p.placement -> 'requires'))
    end
  from placed p join howdah.task t on t.id = p.task join howdah.queue q on q.id = p.queue
  where exists (select from taker k where k.id = p.id)
    and not exists (
      select from howdah.gate_places(array[p.placement]) g where g.node in (select k.node from taker k where k.id = p.id)
    )
  order by p.at, p.id;
end
$$;
