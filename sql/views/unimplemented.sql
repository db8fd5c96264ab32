-- Tasks with waiting runs that no living node implements, and since when. A stable contract: columns are only ever added, at
-- the end. See functions/unimplemented_tasks.sql. Takes no locks.
create or replace view howdah.unimplemented as
  select u.task, u.queue, u.since, u.first_run from howdah.unimplemented_tasks() u;
