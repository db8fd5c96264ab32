-- Enqueues the requests of many callers in one statement, a row of submit() for each group of the same task and options, in
-- order: p_counts says how many of p_args (and of p_keys, unless nobody has any) belong to each. Keys that make an enqueue happen
-- once are refused, and those of a debounce: a holder that has not committed would keep everybody waiting. Call hint() after the
-- commit. Locks: those of submit().
create or replace function howdah.submit_all(p_tasks text[], p_options text[], p_counts int[], p_args text[], p_keys text[] default null)
  returns table (ids bigint[], queue int, task int, priority smallint, due_s double precision, created boolean[])
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_from int := 1;
begin
  for i in 1 .. cardinality(p_tasks) loop
    if p_options[i]::jsonb ?| '{unique_key,unique_args,child}' then
      raise exception 'unique runs of % are enqueued by submit(), each caller for itself', p_tasks[i] using errcode = '22023';
    end if;
    return query select * from howdah.submit(p_tasks[i], p_args[v_from : v_from + p_counts[i] - 1], p_options[i]::jsonb, null,
                                              p_keys[v_from : v_from + p_counts[i] - 1]);
    v_from := v_from + p_counts[i];
  end loop;
end
$$;
