-- Tells a node to pause (it starts nothing new, what runs goes on), to resume, or to drain (it ends when what runs has ended), and
-- answers its name. p_node: its name, the beginning of a single one's, or its id. The row is what counts: the node reads it at each
-- renewal of its lease, also under another identity, and the notification only has it do so at once. A drain is not taken back.
-- Locks: the node's rows for key share (so that one that leaves takes its order with it), then the row of the order.
create or replace function howdah.order_node(p_node text, p_order text) returns text
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_names text[];
  v_told text;
begin
  if p_order is null or p_order not in ('pause', 'resume', 'drain') then
    raise exception 'a node is told to pause, to resume or to drain, and not %', coalesce(p_order, 'null') using errcode = '22023';
  end if;
  select array_agg(distinct m.name) into v_names
  from (select n.name from howdah.node n where n.name = p_node or n.id::text = p_node order by n.id for key share) m;
  if v_names is null and p_node <> '' then
    select array_agg(distinct m.name) into v_names
    from (select n.name from howdah.node n where starts_with(n.name, p_node) order by n.id for key share) m;
  end if;
  if v_names is null then
    raise exception 'there is no node %', p_node
      using errcode = '22023', hint = 'It may have left, or have lost its lease; `howdah nodes ls` lists those that are here.';
  end if;
  if cardinality(v_names) > 1 then
    raise exception '% nodes are called %...: %', cardinality(v_names), p_node, array_to_string(v_names[1:5], ', ')
      using errcode = '22023', hint = 'Name one of them.';
  end if;
  insert into howdah.node_order as o (node, what) select v_names[1], case p_order when 'resume' then 'pause' else p_order end
  on conflict (node) do update set what = case o.what when 'drain' then 'drain' else excluded.what end, at = howdah.clock()
  returning o.what into v_told;
  if v_told = 'drain' and p_order <> 'drain' then
    raise exception 'the node % drains, and that is not taken back', v_names[1]
      using errcode = '22023', hint = 'It ends when what runs there has ended; start another one.';
  end if;
  if p_order = 'resume' then
    delete from howdah.node_order o where o.node = v_names[1];
  end if;
  perform howdah.tell('howdah_node', left(v_names[1], 200));
  return v_names[1];
end
$$;
