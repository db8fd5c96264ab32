-- The days whose retention is over, oldest first: older than p_keep_days and than the longest that any queue asks for. The
-- caller drops each in a transaction of its own (drop_day), so that one that somebody holds keeps none of the others.
-- Days that were dropped before but for runs which still live are among them. Takes no locks.
create or replace function howdah.old_days(p_keep_days int) returns setof int
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_oldest int := (howdah.day_base() >> 40)::int - greatest(p_keep_days, (select max(q.retention_days) from howdah.queue q));
begin
  if p_keep_days is null or p_keep_days < 1 then
    raise exception 'history is kept for at least a day, not for %', coalesce(p_keep_days::text, 'null') using errcode = '22023';
  end if;
  return query
  select distinct substring(c.relname from '^run_d(\d+)')::int as day
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'howdah.run'::regclass and substring(c.relname from '^run_d(\d+)')::int < v_oldest
  order by day;
end
$$;
