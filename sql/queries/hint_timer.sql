-- Tells keepers in how many seconds a new timer is due. Takes no locks.
select pg_notify('howdah_timer', $1);
