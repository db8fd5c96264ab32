-- Lets this session write, whatever the default is: what takes the default back is a write.
set default_transaction_read_only = off;
