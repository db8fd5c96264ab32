-- The mark of this transaction: another one, or none, where each statement is a transaction of its own. Takes no locks.
select current_setting('howdah.transaction', true) as mark;
