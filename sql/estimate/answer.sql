-- A round trip. Takes no locks.
select 1 as one;
