-- Keys that the failure of one of these runs has blocked are blocked no more: it is being retried. The gate is told.
-- Locks: entries of limit_key, by name and key.
create or replace function howdah.unblock(p_runs bigint[]) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from howdah.limit_key k where k.blocked = any(p_runs)) then
    return;
  end if;
  with held as materialized (
    select k.name, k.key from howdah.limit_key k where k.blocked = any(p_runs) order by k.name, k.key for update
  )
  update howdah.limit_key k set blocked = null from held h where k.name = h.name and k.key = h.key;
  perform howdah.tell('howdah_gate', 'terms');
end
$$;
