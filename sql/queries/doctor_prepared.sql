-- Transactions of this database that were prepared more than $1 seconds ago, and neither committed nor rolled back. Takes no locks.
select p.gid, p.owner::text as role, extract(epoch from clock_timestamp() - p.prepared)::double precision as age_s
from pg_prepared_xacts p
where p.database = current_database() and p.prepared < clock_timestamp() - make_interval(secs => $1)
order by p.prepared limit $2;
