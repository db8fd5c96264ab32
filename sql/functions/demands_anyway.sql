-- What a run demands that nobody refused when it was enqueued: as demands() says it, and where that raises, what comes nearest. A key of
-- which there is none is the empty one; a key or a group that is too long is its SHA-256 in hexadecimal; a cost that is none is what the
-- limit says without it, or 1. So it is under each of its limits whatever its arguments are, and nobody's definition fails by them.
-- p_had: what the run demanded so far; what no path leads to is taken from there. Takes no locks.
create or replace function howdah.demands_anyway(p_task text, p_limits jsonb, p_args json, p_had jsonb) returns jsonb
  language plpgsql immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_keys jsonb := '{"*": ""}';
  v_limit jsonb;
  v_said text[];
  v_given jsonb;
  v_all jsonb := '[]';
  v_args constant json := replace(p_args::text, '\u0000', '\ufffd');  -- Postgres reads no text of a document that has a null character in it.
  v_paths constant text[] := '{path,cost_path,group}';
  v_words constant text[] := '{asked,cost_asked,group_asked}';
  v_key_max constant int := 200;
begin
  select v_keys || jsonb_object_agg(k.word, k.said) into v_keys
  from (
    select '*' as word, '' as said
    union all
    select w.word, w.said
    from jsonb_array_elements(p_had) d
    cross join lateral (values (d ->> 0, d ->> 1), ((d ->> 0) || '/cost', d ->> 2), ((d ->> 0) || '/group', d ->> 3)) w(word, said)
    where w.said is not null
  ) k;
  begin
    return (howdah.demands(p_task, p_limits, array[p_args::text], array[v_keys::text]))[1];
  exception when data_exception then  -- Also of arguments that are json and no jsonb, as with \u0000 or 1e1000000 somewhere.
  end;
  for v_limit in select e.l from jsonb_array_elements(p_limits) with ordinality e(l, n) order by e.n loop
    v_said := array[null, null, null]::text[];
    for i in 1 .. 3 loop
      begin
        if v_limit ? v_paths[i] then
          v_said[i] := v_args #>> array(select jsonb_array_elements_text(v_limit -> v_paths[i]));
        end if;
      exception when data_exception then
      end;
      if length(v_said[i]) > v_key_max then
        v_said[i] := encode(sha256(convert_to(v_said[i], 'UTF8')), 'hex');
      end if;
      if v_limit ? v_paths[i] then
        v_limit := v_limit || jsonb_build_object(v_words[i], true);
      end if;
    end loop;
    v_limit := v_limit - v_paths;
    v_given := v_keys || jsonb_strip_nulls(jsonb_build_object(
      v_limit ->> 'limit', v_said[1], (v_limit ->> 'limit') || '/cost', v_said[2], (v_limit ->> 'limit') || '/group', v_said[3]));
    begin
      v_all := v_all || (howdah.demands(p_task, jsonb_build_array(v_limit), array['{}'], array[v_given::text]))[1];
    exception when data_exception then
      v_all := v_all || (howdah.demands(p_task, jsonb_build_array(v_limit), array['{}'], array[(v_given - ((v_limit ->> 'limit') || '/cost'))::text]))[1];
    end;
  end loop;
  return v_all;
end
$$;
