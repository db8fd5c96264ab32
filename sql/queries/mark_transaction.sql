-- Leaves a mark that lasts as long as the transaction. Takes no locks.
select set_config('howdah.transaction', $1::text, true) as mark;
