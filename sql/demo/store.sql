-- Stores what a file says, if this run is still the one to read it; a newer one makes this a no-op.
-- A second time for the same run would fail on the primary key of demo.document. Locks: the file's row.
with mine as (
  update demo.file set stored = howdah.clock(), stores = stores + 1 where path = $1 and run = $2 returning path
)
insert into demo.document (file, number, kind, name, line, summary, body)
select m.path, g.number, g.kind, g.name, g.line, g.summary, g.body
from mine m
cross join unnest($3::text[], $4::text[], $5::int[], $6::text[], $7::text[]) with ordinality g(kind, name, line, summary, body, number);
