-- Which installation this is: part of every idempotency key.
select id from howdah.installation;
