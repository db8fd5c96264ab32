-- Today's share of a run's id: days since 2020-01-01, shifted above the 40 bits of the sequence.
-- Partitions follow the real clock, never howdah.clock(). Takes no locks.
create or replace function howdah.day_base() returns bigint
  language sql volatile parallel safe
  return ((extract(epoch from clock_timestamp())::bigint / 86400 - 18262) << 40);
