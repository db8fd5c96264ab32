-- How some attempts ended, for breakers. See functions/gate_verdicts.sql.
select run, failed from howdah.gate_verdicts($1, $2, $3);
