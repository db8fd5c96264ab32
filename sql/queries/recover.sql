-- Hands back what a lost claim may have taken. See functions/recover.sql.
select howdah.recover($1, $2, $3) as returned;
