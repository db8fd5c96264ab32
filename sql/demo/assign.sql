-- Each file gets its run. Locks: rows of demo.file that the caller has locked already.
update demo.file f set run = g.run from unnest($1::text[], $2::bigint[]) g(path, run) where f.path = g.path;
