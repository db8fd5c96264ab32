-- One round of upkeep. See functions/keep.sql.
select next_s, fired, expired, facts from howdah.keep($1, $2, $3);
