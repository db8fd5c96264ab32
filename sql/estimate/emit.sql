-- A commit that writes WAL and changes no table: what it takes is what a commit takes. Takes no locks.
select pg_logical_emit_message(true, 'howdah.estimate', '')::text as at;
