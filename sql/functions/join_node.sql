-- A node enters: from now until its lease runs out its claims are its own. The gate hears of it: what waits for a node such as this one
-- may go. 22023: its labels are none. Locks: its new row.
create or replace function howdah.join_node(p_node bigint, p_name text, p_host text, p_pid int, p_version text, p_tasks int[], p_hashes text[],
                                            p_queues int[], p_lease_s double precision, p_labels jsonb default '{}')
  returns timestamptz
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into howdah.node (id, name, host, pid, version, tasks, hashes, queues, until, world, labels)
  values (p_node, p_name, p_host, p_pid, p_version, p_tasks, p_hashes, p_queues, howdah.clock() + make_interval(secs => p_lease_s), howdah.world(),
          howdah.checked_labels(p_labels));
  perform howdah.tell('howdah_gate', 'labels');
  return howdah.clock();
end
$$;
