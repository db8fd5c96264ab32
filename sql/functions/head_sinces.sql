-- Since when these runs of one task were ready to start (Unix time), in their order, where their placement makes them wait for a better
-- node for a while; else null, and nothing is read. 0: nobody knows any more. See ready_since(). Takes no locks.
create or replace function howdah.head_sinces(p_placement jsonb, p_task int, p_runs bigint[]) returns double precision[]
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_material = off set jit = off
as $$
declare
  v_sinces double precision[];
begin
  if p_placement ? 'prefer_for' is not true or p_runs = '{}' then
    return null;
  end if;
  v_sinces := array_fill(0::double precision, array[cardinality(p_runs)]);
  select array_agg(coalesce(s.since, 0) order by g.n) into v_sinces
  from generate_subscripts(p_runs, 1) g(n)
  left join howdah.ready_since(p_runs, array_fill(p_task, array[cardinality(p_runs)]), array_fill(0::bigint, array[cardinality(p_runs)])) s on s.n = g.n;
  return v_sinces;
end
$$;
