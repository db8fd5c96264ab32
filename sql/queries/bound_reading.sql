-- Bounds what follows in the transaction at hand: it reads only, for at most $1, and waits for no lock longer than $2. Takes no locks.
select set_config('transaction_read_only', 'on', true), set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true);
