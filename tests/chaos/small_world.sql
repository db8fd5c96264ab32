-- A small set of histories with nothing wrong in them, for tests that plant a violation: written straight into the tables, since
-- the product would refuse most violations. howdah.day_base() + n is run n.
set session_replication_role = replica; -- no fold()

insert into howdah.task (name, queue, implemented)
select name, 1, true from unnest('{plain,stored,once,flaky,patient,child,parent,apart,murder,narrow,paced,ordered}'::text[]) name;

create function chaos.id(n int) returns bigint language sql stable return howdah.day_base() + n;
create function chaos.at(seconds double precision) returns timestamptz language sql stable
  return date_trunc('day', now()) + interval '1 hour' + make_interval(secs => seconds);

create function chaos.make(n int, p_task text, p_mark text, p_args jsonb default '{}', p_parent int default null) returns void
language sql as $$
  insert into howdah.run (id, at, task, queue, priority, args, parent)
  select chaos.id(n), chaos.at(n), t.id, 1, 0, (jsonb_build_object('mark', p_mark) || p_args)::json, chaos.id(p_parent)
  from howdah.task t where t.name = p_task;
  insert into howdah.tally (queue, task, kind, n, ready, running, later) select 1, t.id, 0, 1, 0, 0, 0 from howdah.task t where t.name = p_task;
  insert into chaos.promise (mark, run, task, created, at) values (p_mark, chaos.id(n), p_task, true, chaos.at(n));
$$;
create function chaos.say(n int, p_kind int, p_at double precision, p_lease int default null, p_node int default null) returns void
language sql as $$
  insert into howdah.event (run, lease, node, at, task, kind)
  select r.id, p_lease, p_node, chaos.at(p_at), r.task, p_kind from howdah.run r where r.id = chaos.id(n);
  insert into howdah.tally (queue, task, kind, n, ready, running, later)
  select 1, r.task, p_kind, 1, 0, 0, 0 from howdah.run r where r.id = chaos.id(n);
$$;
create function chaos.try(n int, p_lease int, p_node int, p_began double precision, p_ended double precision, p_how text default 'r')
returns void language sql as $$
  insert into chaos.attempt (run, lease, node, attempt, process, began, ended, how)
  values (chaos.id(n), p_lease, p_node, 1, format('process %s', p_node), chaos.at(p_began), chaos.at(p_ended), p_how);
$$;

insert into chaos.process (name, pid, began, ended, why) values
  ('process 1', 101, chaos.at(0), chaos.at(100), 'kill'), ('process 2', 102, chaos.at(0), chaos.at(100), 'dismissed');

-- 1: plain. 2: transactional. 3: at most once.
select chaos.make(1, 'plain', 'bulk-1'), chaos.try(1, 1, 1, 1.1, 1.2), chaos.say(1, 1, 1.3, 1, 1);
select chaos.make(2, 'stored', 'stored-2'), chaos.try(2, 2, 1, 2.1, 2.3), chaos.say(2, 1, 2.2, 2, 1);
insert into chaos.effect (run, lease, node, attempt) values (chaos.id(2), 2, 1, 1);
select chaos.make(3, 'once', 'once-3'), chaos.try(3, 3, 1, 3.1, 3.2), chaos.say(3, 1, 3.3, 3, 1);
-- 4: a parent, 5: its child.
select chaos.make(4, 'parent', 'family-4', '{"children": 1}'), chaos.try(4, 4, 1, 4.1, 4.2), chaos.say(4, 1, 4.3, 4, 1);
select chaos.make(5, 'child', 'family-4/0', '{}', 4), chaos.try(5, 5, 1, 5.1, 5.2), chaos.say(5, 1, 5.3, 5, 1);
-- 6: cancelled before it started, and 7, its child.
select chaos.make(6, 'patient', 'adopter-6'), chaos.say(6, 17, 6.5);
select chaos.make(7, 'child', 'orphan-adopter-6/0', '{}', 6), chaos.say(7, 17, 9);
insert into chaos.cancel (run, answer, at) values (chaos.id(6), 'cancelled', chaos.at(8.5));
-- 8: node 1 was frozen in the middle of it, node 2 took over, and node 1 went on for a while.
select chaos.make(8, 'plain', 'bulk-8'), chaos.try(8, 8, 1, 8.1, 20, 'c'), chaos.say(8, 19, 11, 8, 1), chaos.try(8, 9, 2, 11.1, 11.2), chaos.say(8, 1, 11.3, 9, 2);
insert into chaos.gone (node, pid, renewed, until, at) values (1, 101, chaos.at(7), chaos.at(10), chaos.at(11));
insert into chaos.fault (number, kind, variant, target, began, ended) values (0, 'pause', '', 'process 1', chaos.at(8.15), chaos.at(19));
-- 9: enqueued in somebody's own transaction. 10: failed once.
select chaos.make(9, 'plain', 'own-9'), chaos.try(9, 10, 2, 12, 12.1), chaos.say(9, 1, 12.2, 10, 2);
insert into chaos.booking (mark) values ('own-9');
select chaos.make(10, 'flaky', 'flaky-10'), chaos.try(10, 11, 2, 13, 13.1, 'x'), chaos.say(10, 4, 13.2, 11, 2), chaos.try(10, 12, 2, 14, 14.1),
       chaos.say(10, 1, 14.2, 12, 2);
-- 11: a node was killed that held it.
insert into chaos.process (name, pid, began, ended, why) values ('process 3', 103, chaos.at(0), chaos.at(30), 'kill');
select chaos.make(11, 'plain', 'bulk-11'), chaos.try(11, 13, 3, 29, null), chaos.say(11, 19, 33, 13, 3), chaos.try(11, 14, 2, 33.1, 33.2), chaos.say(11, 1, 33.3, 14, 2);
insert into chaos.gone (node, pid, renewed, until, at) values (3, 103, chaos.at(29.5), chaos.at(32.5), chaos.at(33));
insert into chaos.fault (number, kind, variant, target, began, ended) values (1, 'kill', '', 'process 3', chaos.at(30), chaos.at(30));
-- 20, 21: under one key at once. 22, 23: under a rate.
insert into howdah.limit_terms (name, kind, said) values ('chaos-rate', 'rate', '{"per_s": 1, "burst": 1}');
select chaos.make(20, 'narrow', 'narrow-20'), chaos.try(20, 20, 2, 20.1, 20.3), chaos.say(20, 1, 20.4, 20, 2);
select chaos.make(21, 'narrow', 'narrow-21'), chaos.try(21, 21, 2, 20.2, 20.5), chaos.say(21, 1, 20.6, 21, 2);
select chaos.make(22, 'paced', 'paced-22'), chaos.try(22, 22, 2, 22.1, 22.2), chaos.say(22, 1, 22.3, 22, 2);
select chaos.make(23, 'paced', 'paced-23'), chaos.try(23, 23, 2, 24.1, 24.2), chaos.say(23, 1, 24.3, 23, 2);
update howdah.run set demands = '[["chaos-key", "k"], ["chaos-all", ""]]' where id in (chaos.id(20), chaos.id(21));
update howdah.run set demands = '[["chaos-rate", ""]]' where id in (chaos.id(22), chaos.id(23));
insert into chaos.permit (run, lease, node, taken, freed) values
  (chaos.id(20), 20, 2, chaos.at(20), chaos.at(20.4)), (chaos.id(21), 21, 2, chaos.at(20.15), chaos.at(20.6)),
  (chaos.id(22), 22, 2, chaos.at(22), chaos.at(22.3)), (chaos.id(23), 23, 2, chaos.at(24), chaos.at(24.3));
insert into chaos.terms (name, number, at) values ('chaos-key', 3, '-infinity'), ('chaos-all', 10, '-infinity'), ('chaos-line', 1, '-infinity');
-- 24, 25: one after the other; the first of them failed once.
select chaos.make(24, 'ordered', 'ordered-24'), chaos.try(24, 24, 2, 26.1, 26.2, 'x'), chaos.say(24, 4, 26.3, 24, 2), chaos.try(24, 25, 2, 28.1, 28.2),
       chaos.say(24, 1, 28.3, 25, 2);
select chaos.make(25, 'ordered', 'ordered-25'), chaos.try(25, 26, 2, 29.1, 29.2), chaos.say(25, 1, 29.3, 26, 2);
update howdah.run set demands = '[["chaos-line", "k", 1, null, 1, "sequence"]]' where id in (chaos.id(24), chaos.id(25));
insert into chaos.permit (run, lease, node, taken, freed) values
  (chaos.id(24), 24, 2, chaos.at(26), chaos.at(26.3)), (chaos.id(24), 25, 2, chaos.at(28), chaos.at(28.3)),
  (chaos.id(25), 26, 2, chaos.at(29), chaos.at(29.3));
