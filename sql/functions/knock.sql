-- Tells the gate of runs that wait for it: a hint, as wake() is for runs that any node may claim. Takes no locks of ours.
create or replace function howdah.knock(p_runs bigint[]) returns void
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_chunk int := 400;
begin
  for i in 0 .. (coalesce(cardinality(p_runs), 0) - 1) / v_chunk loop
    exit when coalesce(p_runs, '{}') = '{}';
    perform howdah.tell('howdah_gate', 'runs ' || array_to_string(p_runs[i * v_chunk + 1 : (i + 1) * v_chunk], ' '));
  end loop;
end
$$;
