-- For how long some keys of rates are closed. See functions/gate_closed.sql.
select name, key, left_s from howdah.gate_closed($1, $2);
