-- One round of upkeep, safe on any node, at any time, twice: dead nodes, due timers, late runs, tallies.
-- Answers in how many seconds the next thing is due (at most p_longest_s), how much was done now, and which facts
-- were found (lost nodes, quarantined runs).
-- While there is something to tally the next round is due within five seconds. Locks: those of reap, which alone waits
-- for others and so comes first; then of fire, expire and roll_up, which pass over what is locked.
create or replace function howdah.keep(p_limit int, p_longest_s double precision, p_quarantine int)
  returns table (next_s double precision, fired int, expired int, facts jsonb)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_longest_s double precision := p_longest_s;
begin
  facts := howdah.reap(p_quarantine);
  fired := howdah.fire(p_limit);
  expired := howdah.expire(p_limit);
  if howdah.roll_up() > 0 then
    v_longest_s := least(v_longest_s, 5);
  end if;
  next_s := case when fired >= p_limit or expired >= p_limit then 0 else greatest(0, least(v_longest_s, extract(epoch from least(
    (select min(t.due) from howdah.timer t),
    (select min(j.expires) from howdah.job j where j.expires is not null and j.attempt = 0 and j.lease is null),
    (select min(m.expires) from howdah.misfit m where m.attempt = 0),
    (select min(greatest(n.until, pg_postmaster_start_time() + (n.until - n.renewed))) from howdah.node n) + interval '1 millisecond'
  ) - howdah.clock()))) end;
  return next;
end
$$;
