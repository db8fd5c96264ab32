-- The flags that demands give a run: 32 it keeps permits until it has ended, 128 its failure blocks their keys. See job.
-- Takes no locks.
create or replace function howdah.demand_flags(p_demands jsonb) returns smallint
  language sql immutable parallel safe
  return ((case when jsonb_path_exists(p_demands, '$[*][5]') then 32 else 0 end)
          + (case when jsonb_path_exists(p_demands, '$[*][5] ? (@ == "block")') then 128 else 0 end))::smallint;
