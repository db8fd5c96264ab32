-- Whether a run demands anything of limits: one that waits for the gate without that has a placement alone. Takes no locks.
create or replace function howdah.has_demands(p_run bigint) returns boolean
  language sql stable parallel safe
  return (select r.demands is not null and r.demands <> '[]' from howdah.run r where r.id = p_run);
