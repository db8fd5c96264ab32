-- Files below the folder $1 (it ends with a slash) that are not among $2 any more leave, with what they said.
delete from demo.file where starts_with(path, $1) and path <> all ($2::text[]);
