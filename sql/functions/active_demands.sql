-- What a run still demands that has kept permits from its first admission on (flag 64): those that it gives back after each attempt.
-- Takes no locks.
create or replace function howdah.active_demands(p_demands jsonb, p_flags smallint) returns jsonb
  language sql immutable parallel safe
  return case when p_flags & 64 = 0 then p_demands
              else coalesce((select jsonb_agg(d order by n) from jsonb_array_elements(p_demands) with ordinality e(d, n) where d ->> 5 is null), '[]') end;
