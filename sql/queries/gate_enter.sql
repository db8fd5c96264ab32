-- Takes the gate; its epoch. See functions/gate_enter.sql.
select howdah.gate_enter($1) as epoch;
