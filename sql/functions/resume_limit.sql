-- Takes back what howdah.pause_limit() said of a limit, or of one key of it; a key that was paused by itself stays so when its limit
-- is resumed. A key that the failure of a run in sequence holds up goes on as well. What was not paused stays as it is. 22023: there is no such limit. Locks: the row of the limit, or of the key.
create or replace function howdah.resume_limit(name text, key text default null) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
  perform howdah.checked_terms(name, null, key);
  if key is null then
    update howdah.limit_terms l set paused = false, changed = howdah.clock() where l.name = resume_limit.name and l.paused;
  else
    update howdah.limit_key k set paused = false, blocked = null where k.name = resume_limit.name and k.key = resume_limit.key;
    delete from howdah.limit_key k where k.name = resume_limit.name and k.key = resume_limit.key and k.terms is null;
  end if;
  perform howdah.tell('howdah_gate', 'terms');
end
$$;
