-- Rolls back a prepared transaction: whoever coordinates it hears of that.
rollback prepared :'gid';
