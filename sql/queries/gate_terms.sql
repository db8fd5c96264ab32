-- What limits allow. See functions/gate_terms.sql.
select name, key, kind, terms, paused, when_full from howdah.gate_terms();
