-- Writes down what the gate knows of breakers. See functions/gate_note_breakers.sql.
select howdah.gate_note_breakers($1, $2, $3, $4, $5, $6);
