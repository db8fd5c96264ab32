-- Waits for the seat of the gate, and holds it until the transaction ends, or its session. Nothing is read in it: a wait for a table's
-- lock takes no snapshot, which would hold vacuum up for as long as another node is the gate. Locks: the table.
begin;
set local statement_timeout = 0;
set local lock_timeout = 0;
set local idle_in_transaction_session_timeout = 0;
lock table howdah.seat in exclusive mode;
