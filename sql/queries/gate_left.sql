-- Of these runs those whose permits are free. See functions/gate_left.sql.
select run from howdah.gate_left($1, $2);
