-- How these runs ended. See functions/outcomes.sql.
select run, kind, data, attempt from howdah.outcomes($1);
