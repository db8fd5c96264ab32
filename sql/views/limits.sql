-- Each limit with what it allows now, and those of its keys that somebody set or paused. A stable contract: columns are only ever
-- added, at the end. said: what the code says; live: what somebody set instead; keys: [{"key", "terms", "paused", "blocked"}], by key,
-- at most a thousand of them; blocked is the run in sequence whose failure holds the key up. What runs and waits under a limit is not here: that would be counting. Takes no locks.
create or replace view howdah.limits as
select l.name, l.kind, coalesce(l.terms, l.said) as terms, l.said, l.terms as live, l.paused, l.changed as changed_at,
  (
    select jsonb_agg(jsonb_build_object('key', k.key, 'terms', k.terms, 'paused', k.paused, 'blocked', k.blocked) order by k.key)
    from (
      select s.key, s.terms, s.paused, s.blocked from howdah.limit_key s
      where s.name = l.name and (s.terms is not null or s.paused or s.blocked is not null) order by s.key limit 1000
    ) k
  ) as keys
from howdah.limit_terms l;
