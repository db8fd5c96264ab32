-- Until when some keys of rates are closed. See functions/gate_closed.sql.
select name, key, at from howdah.gate_closed($1, $2);
