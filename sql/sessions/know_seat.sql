-- Before take_seat, so that its wait finds the table in the session's caches: reading the catalogue there would hold a snapshot for as
-- long as it waits. Conflicts with nothing that this product does.
begin;
lock table howdah.seat in access share mode;
commit;
