-- Gives a role what a kind of user needs. See functions/permit.sql.
select howdah.permit($1, $2);
