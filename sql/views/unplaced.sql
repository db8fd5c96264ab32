-- Lines of runs that wait since no living node is where they may go, the oldest of each, with why: of the first thousand lines that wait
-- for the gate. requires: of a node's labels; sticky_to: the node that they may not leave while it lives. A stable contract: columns are
-- only ever added, at the end. See functions/unplaced_lines.sql. Takes no locks.
create or replace view howdah.unplaced as
  select u.task, u.queue, u.since, u.first_run, u.requires, u.sticky_to, u.why from howdah.unplaced_lines(1000) u;
