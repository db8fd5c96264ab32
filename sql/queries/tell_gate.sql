-- Tells the gate, or all nodes, something. See functions/tell_gate.sql.
select howdah.tell_gate($1, $2);
