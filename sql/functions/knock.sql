-- Tells the gate of runs that wait for it: a hint, as wake() is for runs that any node may claim, which are those among them whose task
-- has no limits any more. Locks: those of unlimit() for such runs, whose rows its callers hold.
create or replace function howdah.knock(p_runs bigint[]) returns void
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_chunk int := 400;
  v_runs bigint[] := case when p_runs is not null and p_runs <> '{}' then howdah.unlimit(p_runs) else '{}' end;
begin
  for i in 0 .. (cardinality(v_runs) - 1) / v_chunk loop
    exit when v_runs = '{}';
    perform howdah.tell('howdah_gate', 'runs ' || array_to_string(v_runs[i * v_chunk + 1 : (i + 1) * v_chunk], ' '));
  end loop;
end
$$;
