-- Extends the lease of a node. See functions/renew.sql.
select now, unsettled, ordered from howdah.renew($1, $2);
