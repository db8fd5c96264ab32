-- Finds nodes whose lease has run out and returns what they held to the queues, without burning an attempt.
-- After a start of Postgres every node has one lease time to report before it counts as dead.
-- The node rows go first; one that a claim in flight holds (for key share) is left for the next round. The job rows
-- are looked up in a later statement, which therefore sees every claim that was made.
-- Locks: node rows with skip locked, then job rows in id order.
create or replace function howdah.reap() returns int
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_dead bigint[];
begin
  with expired as materialized (
    select n.id from howdah.node n
    where n.until < howdah.clock() and pg_postmaster_start_time() + (n.until - n.renewed) < howdah.clock()
    order by n.id for update skip locked
  ), gone as (
    delete from howdah.node n using expired e where n.id = e.id returning n.id
  )
  select array_agg(g.id) into v_dead from gone g;
  if v_dead is null then
    return 0;
  end if;
  return howdah.reap_nodes(v_dead);
end
$$;
