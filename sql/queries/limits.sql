-- What limits allow. See views/limits.sql.
select l.name, l.kind, l.terms, l.said, l.live, l.paused, l.changed_at, l.keys, l.open from howdah.limits l order by l.name;
