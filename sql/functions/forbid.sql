-- Takes everything of ours from a role, and forgets what it was permitted as: the counterpart of permit().
-- As the owner only. Locks: the catalogue rows that a revoke takes.
create or replace function howdah.forbid(p_role name) returns void
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('revoke all on all functions in schema howdah from %I', p_role);
  execute format('revoke all on all tables in schema howdah from %I', p_role);
  execute format('revoke all on schema howdah from %I', p_role);
  delete from howdah.role r where r.name = p_role;
end
$$;
