-- Which of these attempts somebody wants cancelled. See functions/asked.sql.
select run, lease from howdah.asked($1, $2);
