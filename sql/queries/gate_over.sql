-- Of these runs those that have ended. See functions/gate_over.sql.
select run, matters from howdah.gate_over($1);
