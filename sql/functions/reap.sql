-- Finds nodes whose lease has run out and returns what they held to the queues, without burning an attempt: their crash
-- is counted on each run (reap_nodes). Answers the facts, for the log; subscribers hear of them through inbox.
-- After a start of Postgres every node has one lease time to report before it counts as dead.
-- The node rows go first; one that a claim in flight holds (for key share) is left for the next round. The job rows
-- are looked up in a later statement, which therefore sees every claim that was made.
-- Locks: node rows with skip locked, then job rows in id order.
create or replace function howdah.reap(p_quarantine int) returns jsonb
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_dead bigint[];
  v_facts jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'howdah.reap looks again after it has written, so it needs read committed' using errcode = '25001';
  end if;
  with expired as materialized (
    select n.id from howdah.node n
    where n.until < howdah.clock() and pg_postmaster_start_time() + (n.until - n.renewed) < howdah.clock()
    order by n.id for update skip locked
  ), gone as (
    delete from howdah.node n using expired e where n.id = e.id returning n.id, n.name, n.host, n.pid
  )
  select array_agg(g.id), jsonb_agg(jsonb_build_object('fact', 'node.lost', 'node', g.id, 'name', g.name, 'host', g.host, 'pid', g.pid))
  into v_dead, v_facts from gone g;
  if v_dead is null then
    return null;
  end if;
  v_facts := v_facts || howdah.reap_nodes(v_dead, p_quarantine);
  insert into howdah.inbox (run, what, data)
  select coalesce((f ->> 'run')::bigint, 0), f ->> 'fact', f from jsonb_array_elements(v_facts) f
  where exists (select from howdah.subscriber s where s.fact = f ->> 'fact');
  return v_facts;
end
$$;
