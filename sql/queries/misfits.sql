-- The newest runs that fit no node, and why. See views/misfits.sql.
select run, task, queue, since, mismatch from howdah.misfits order by run desc limit $1;
