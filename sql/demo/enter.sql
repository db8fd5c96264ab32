-- Files that are new or changed enter, or with $5 all of them, and so do files whose run has been dropped with its
-- history. Answers those that need a run. Locks: rows of demo.file in the order of their paths.
insert into demo.file as f (path, module, size, modified_ns)
select g.path, g.module, g.size, g.modified_ns
from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) g(path, module, size, modified_ns)
order by g.path
on conflict (path) do update
set module = excluded.module, size = excluded.size, modified_ns = excluded.modified_ns, run = null, stored = null, stores = 0
where $5 or (f.size, f.modified_ns) <> (excluded.size, excluded.modified_ns)
  or (f.stored is null and not exists (select from howdah.run r where r.id = f.run))
returning path, module;
