-- The line of a run with these demands and this placement: runs of one queue and task that want the same wait behind each other, and
-- nobody else.
-- Of 64 bits: that two lines of a million share a number has a chance of one in thirty million. Takes no locks.
create or replace function howdah.line_of(p_queue int, p_task int, p_demands jsonb, p_placement jsonb default null) returns bigint
  language sql immutable parallel safe
  return hashtextextended(p_queue || ' ' || p_task || ' ' || p_demands::text || coalesce(' ' || p_placement::text, ''), 0);
