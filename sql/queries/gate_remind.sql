-- Tells nodes again of what was admitted to them. See functions/gate_remind.sql.
select howdah.gate_remind($1, $2, $3);
