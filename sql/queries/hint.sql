-- Wakes nodes after a commit. See functions/hint.sql.
select howdah.hint($1, $2, $3, $4, $5, $6);
