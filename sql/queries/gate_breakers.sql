-- What is known of breakers. See functions/gate_breakers.sql.
select name, key, ends, opened, until from howdah.gate_breakers();
