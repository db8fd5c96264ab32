-- Ends the connections of a node that is no more and still has the gate. See functions/gate_free.sql.
select howdah.gate_free();
