-- Bounds how long the transaction at hand may sit idle, in milliseconds. Takes no locks.
select set_config('idle_in_transaction_session_timeout', $1, true);
