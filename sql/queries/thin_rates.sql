-- Turns old minutes into hours. See functions/thin_rates.sql.
select howdah.thin_rates($1) as thinned;
