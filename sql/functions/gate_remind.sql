-- Tells nodes again of what was admitted to them, in case a notification was lost: those that have it pass it over. Takes no locks.
create or replace function howdah.gate_remind(p_runs bigint[], p_leases bigint[], p_nodes bigint[]) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  perform howdah.tell('howdah_at_' || n.name, 'admitted ' || g.told)
  from (
    select c.node, string_agg(c.run || ' ' || c.lease, ',') as told
    from (select u.node, u.run, u.lease, row_number() over (partition by u.node order by u.run) / 200 as part
          from unnest(p_runs, p_leases, p_nodes) u(run, lease, node)) c
    group by c.node, c.part
  ) g
  join howdah.node n on n.id = g.node;
end
$$;
