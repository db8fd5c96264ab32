-- Cancels runs. See functions/cancel.sql.
select run, answer from howdah.cancel($1, $2);
