-- Sets what a limit or one of its keys allows. See functions/set_limit.sql.
select howdah.set_limit($1, $2, $3);
