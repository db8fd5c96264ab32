-- Of these runs those that have ended. See functions/gate_over.sql.
select run, blocks from howdah.gate_over($1);
