-- Says something on our own channel, to hear whether it comes back. Takes no locks.
select pg_notify($1, 'probe');
