-- Each limit with what it allows now, and those of its keys that somebody set or paused. A stable contract: columns are only ever
-- added, at the end. said: what the code says; live: what somebody set instead; keys: [{"key", "terms", "paused", "blocked"}], by key,
-- at most a thousand of them; blocked is the run in sequence whose failure holds the key up. open: the same of keys
-- whose breaker is open, [{"key", "opened", "until"}]: until then nothing starts, and then one probe at a time. What runs and waits under a limit is not here: that would be counting. Takes no locks.
create or replace view howdah.limits as
select l.name, l.kind, coalesce(l.terms, l.said) as terms, l.said, l.terms as live, l.paused, l.changed as changed_at,
  (
    select jsonb_agg(jsonb_build_object('key', k.key, 'terms', k.terms, 'paused', k.paused, 'blocked', k.blocked) order by k.key)
    from (
      select s.key, s.terms, s.paused, s.blocked from howdah.limit_key s
      where s.name = l.name and (s.terms is not null or s.paused or s.blocked is not null) order by s.key limit 1000
    ) k
  ) as keys,
  (
    select jsonb_agg(jsonb_build_object('key', b.key, 'opened', b.opened, 'until', b.until) order by b.key)
    from (select o.key, o.opened, o.until from howdah.breaker o where o.name = l.name and o.until is not null order by o.key limit 1000) b
  ) as open
from howdah.limit_terms l;
