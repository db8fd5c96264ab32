-- Whether a run has a hot row: it has not ended. Takes no locks.
create or replace function howdah.is_pending(p_run bigint) returns boolean
  language sql stable parallel safe
  return exists (select from howdah.job j where j.id = p_run) or exists (select from howdah.timer t where t.id = p_run)
    or exists (select from howdah.misfit m where m.id = p_run);
