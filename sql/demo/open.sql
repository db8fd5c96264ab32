-- Of these files, those that are not stored, with their runs. Takes no locks.
select path, run from demo.file where path = any($1::text[]) and stored is null order by path;
