-- What the keys of rates have left. See functions/gate_buckets.sql.
select name, key, level, at from howdah.gate_buckets();
