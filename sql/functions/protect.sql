-- What each migration ends with: nothing of ours is left to the public, and each role that was permitted something gets what
-- its kind needs of the functions and views as they are now. A role that is no more is forgotten.
-- As the owner only. Locks: the catalogue rows that grants take.
create or replace function howdah.protect() returns void
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  revoke all on schema howdah from public;
  revoke all on all functions in schema howdah from public;
  revoke all on all tables in schema howdah from public;
  delete from howdah.role r where not exists (select from pg_roles p where p.rolname = r.name);
  perform howdah.permit(r.name, r.kind) from howdah.role r;
end
$$;
