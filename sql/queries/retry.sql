-- Opens ended runs again. See functions/retry.sql.
select run, answer from howdah.retry($1);
