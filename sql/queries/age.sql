-- Raises runs that have waited for long. See functions/age.sql.
select aged, more, reached from howdah.age($1, $2, $3);
