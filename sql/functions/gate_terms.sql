-- What limits allow now: a row for each limit (key is null), and for each key that has terms of its own or is paused.
-- terms: {"number": n} or {"per_s": r, "burst": b}; null: those of its limit. blocked: the run whose failure holds the key up.
-- Takes no locks.
create or replace function howdah.gate_terms()
  returns table (name text, key text, kind text, terms jsonb, paused boolean, when_full text, blocked bigint)
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
  begin atomic
    select l.name, null::text, l.kind, coalesce(l.terms, l.said), l.paused, l.said ->> 'when_full', null::bigint from howdah.limit_terms l
    union all
    select k.name, k.key, l.kind, k.terms, k.paused or k.blocked is not null, null, k.blocked from howdah.limit_key k join howdah.limit_terms l on l.name = k.name;
  end;
