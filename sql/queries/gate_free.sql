-- Ends what nodes that are no more have of the gate. See functions/gate_free.sql.
select howdah.gate_free();
