-- Nodes whose lease has run out more than $1 seconds ago, and that nobody has reaped, with how many live. After a start of Postgres each
-- has one lease to report. Takes no locks.
select n.name, n.host, extract(epoch from howdah.clock() - n.alive_until)::double precision as late_s
from howdah.nodes n
where n.alive_until < howdah.clock() - make_interval(secs => $1)
  and pg_postmaster_start_time() + (n.alive_until - n.renewed_at) < howdah.clock() - make_interval(secs => $1)
order by n.alive_until limit $2;
