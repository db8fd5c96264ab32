-- In any time of t seconds no more starts of a rate than its burst and t times what comes back in a second. The gate decides by its
-- own reckoning of the database's clock, and a statement may be late: what a second brings is allowed for.
select x.run, format('was admitted at %s: since some moment there were %s starts of %s under the key "%s" too many', x.at,
                     round((x.filled - x.burst)::numeric, 1), x.name, x.key) as said
from (
  select s.*, s.n - s.per_s * s.t - min(s.n - s.per_s * s.t) over (partition by s.name, s.key order by s.t, s.run) + 1 as filled
  from (
    select p.run, p.taken as at, extract(epoch from p.taken)::double precision - 1.7e9 as t, l.name, d.demand ->> 1 as key,
           (l.said ->> 'per_s')::double precision as per_s, (l.said ->> 'burst')::double precision as burst,
           row_number() over (partition by l.name, d.demand ->> 1 order by p.taken, p.run) as n
    from chaos.permit p
    join howdah.run r on r.id = p.run
    cross join lateral jsonb_array_elements(r.demands) d(demand)
    join howdah.limit_terms l on l.name = d.demand ->> 0 and l.kind = 'rate'
  ) s
) x
where x.filled > x.burst + x.per_s * 1.0
  and not exists (select from chaos.fault f where f.kind = 'failover' and f.variant = 'asynchronous')
