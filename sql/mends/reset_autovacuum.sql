-- Lets autovacuum look after a table again. Waits for transactions that use the table.
alter table howdah.:"table" reset (autovacuum_enabled);
