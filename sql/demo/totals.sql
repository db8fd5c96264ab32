-- How much is there to search. Takes no locks.
select (select count(*) from demo.file where stored is not null)::int as files, (select count(*) from demo.document)::int as documents;
