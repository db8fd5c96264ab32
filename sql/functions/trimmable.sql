-- The days in which runs of a queue outlive their retention, and how far each was trimmed: oldest first, the day under way in
-- front. Only days that another queue, or p_keep_days, keeps for longer: the others are dropped. Takes no locks.
create or replace function howdah.trimmable(p_keep_days int) returns table (queue int, day int, after bigint)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_today int := (howdah.day_base() >> 40)::int;
  v_longest int := greatest(p_keep_days, (select max(q.retention_days) from howdah.queue q));
begin
  if not exists (select from howdah.queue q where coalesce(q.retention_days, p_keep_days) < v_longest) then
    return;
  end if;
  return query
  with day as materialized (
    select distinct substring(c.relname from '^run_d(\d+)')::int as number
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'howdah.run'::regclass and c.relname ~ '^run_d\d+(_kept)?$'
  )
  select q.id, d.number, coalesce(t.after, (d.number::bigint << 40) - 1)
  from howdah.queue q
  join day d on d.number < v_today - coalesce(q.retention_days, p_keep_days)
  left join howdah.trim t on t.queue = q.id and t.day = d.number
  where coalesce(q.retention_days, p_keep_days) < v_longest and (t.after is null or t.after < ((d.number::bigint + 1) << 40) - 1)
  order by d.number, t.after is null, q.id;
end
$$;
