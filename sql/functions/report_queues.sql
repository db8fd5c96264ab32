-- What the queues hold, for metrics: to one living node of all those that ask, the same one as long as it lives, so that what is true of
-- the database is said once and not by each node. The others get no row. At most p_max queues, those with the most that is ready.
-- Nothing is written unless the one before has gone; never reads the big tables. Locks: the one row of reporter, at a takeover.
create or replace function howdah.report_queues(p_node bigint, p_max int)
  returns table (queue text, ready bigint, running bigint, later bigint, oldest_waiting_s double precision)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  if not exists (select from howdah.node n where n.id = p_node and n.until > howdah.clock()) then
    return;
  end if;
  if not exists (select from howdah.reporter r where r.node = p_node) then
    -- Of two that see it vacant the second waits here, and then sees the first.
    update howdah.reporter r set node = p_node
    where not exists (select from howdah.node n where n.id = r.node and n.until > howdah.clock());
    if not found then
      return;
    end if;
  end if;
  return query
  select s.queue, s.ready, s.running, s.later, s.oldest_waiting_s
  from howdah.queue_stats s order by s.ready desc, s.running desc, s.later desc, s.queue limit p_max;
end
$$;
