-- Ends what nodes that are no more have of the gate, and what this one has. See functions/gate_free.sql.
select howdah.gate_free($1);
