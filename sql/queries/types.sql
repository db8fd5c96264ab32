-- One value of each type in our statements that a driver has to look up. Takes no locks.
select null::smallint[] as smallints, null::int[] as ints, null::bigint[] as bigints, null::text[] as texts, null::json[] as jsons, null::boolean[] as booleans,
  null::double precision[] as floats;
