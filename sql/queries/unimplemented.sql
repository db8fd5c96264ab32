-- Tasks whose runs wait for nobody. See views/unimplemented.sql.
select task, queue, since, first_run from howdah.unimplemented order by task, queue;
