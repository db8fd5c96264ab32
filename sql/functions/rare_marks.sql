-- Up to p_limit runs of one day, between two ids, with these tags and this metadata, by the index of marks alone: as many as
-- the limit means that there may be more, and that they are not the newest. In no order. Takes no locks.
create or replace function howdah.rare_marks(p_tags text[], p_metadata jsonb, p_low bigint, p_high bigint, p_limit int) returns bigint[]
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_indexscan = off set enable_indexonlyscan = off set jit = off
as $$
declare
  v_day text := format('howdah.run_d%s', p_low >> 40);
  v_found bigint[];
begin
  v_day := coalesce(to_regclass(v_day), to_regclass(v_day || '_kept'))::text;
  if v_day is null then
    return '{}';
  end if;
  -- The ids are no condition of an index here: the planner would rather read the whole day by its key.
  execute format('select array(select r.id from %s r where %s and %s and r.id + 0 >= $3 and r.id + 0 < $4 limit $5)', v_day,
                 case when p_tags is null then 'true' else 'r.tags @> $1' end,
                 case when p_metadata is null then 'true' else 'r.metadata @> $2' end)
  into v_found using p_tags, p_metadata, p_low, p_high, p_limit;
  return v_found;
end
$$;
