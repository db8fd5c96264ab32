-- What nodes hold under limits, and what runs that nobody holds have kept (lease and node are null), for a gate that has just taken over: in a statement after gate_enter(), so that it sees what the
-- one before admitted. Reads the whole of job: it holds only what is pending, and takeovers are rare. Takes no locks.
create or replace function howdah.gate_held()
  returns table (run bigint, lease bigint, node bigint, task int, demands jsonb)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_hashjoin = off set enable_mergejoin = off set enable_material = off set jit = off
as $$
#variable_conflict use_column
begin
  return query
  select j.id, j.lease, j.node, j.task, r.demands
  from howdah.job j cross join lateral (select r.demands from howdah.run r where r.id = j.id offset 0) r
  where j.line is not null and j.lease is not null
  union all
  select k.id, null, null, k.task, r.demands
  from (
    select j.id, j.task, j.flags from howdah.job j where j.lease is null and j.line is not null
    union all select t.id, t.task, t.flags from howdah.timer t where t.line is not null
    union all select m.id, m.task, m.flags from howdah.misfit m where m.line is not null
  ) k cross join lateral (select r.demands from howdah.run r where r.id = k.id offset 0) r
  where k.flags & 64 <> 0;
end
$$;
