-- What limits allow. See functions/gate_terms.sql.
select name, key, kind, terms, paused, when_full, blocked from howdah.gate_terms();
