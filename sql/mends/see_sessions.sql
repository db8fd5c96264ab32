-- Lets a role see what sessions of others do.
grant pg_read_all_stats to :"role";
