-- Extends the lease of a node. See functions/renew.sql.
select now, unsettled from howdah.renew($1, $2);
