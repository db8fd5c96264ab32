-- Tells the gate something. A hint. Takes no locks.
select pg_notify('howdah_gate', $1);
