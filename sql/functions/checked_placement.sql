-- Where runs of a task may go and where best, refused where it makes no sense. An object of:
-- requires: what a node must have, {label: said}, where said is as fits() takes it: {"gpu": true, "mem_gb": {"at_least": 16}};
-- prefers: what counts for it, {label: said, or an array of them}, each with a weight (above 0, at most a million; default 1):
-- {"zone": {"equal": "eu", "weight": 10}}; prefer_for: seconds that a run waits for a node of the best score, at most a day;
-- sticky: soft or hard. Takes no locks.
create or replace function howdah.checked_placement(p_name text, p_said jsonb) returns jsonb
  language plpgsql immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_word text;
  v_label text;
begin
  if jsonb_typeof(p_said) is distinct from 'object' then
    raise exception 'the placement of % must be an object', p_name using errcode = '22023';
  end if;
  select w.word into v_word from unnest('{requires,prefers}'::text[]) w(word)
  where p_said ? w.word and (jsonb_typeof(p_said -> w.word) <> 'object' or p_said -> w.word @? '$.keyvalue() ? (@.key like_regex "^.{201}" || @.key == "")'
                             or jsonb_array_length(jsonb_path_query_array(p_said -> w.word, '$.keyvalue()')) > 64);
  if found then
    raise exception '% of % must be an object of at most 64 labels, each with a name of 1 to 200 characters', v_word, p_name
      using errcode = '22023', hint = 'For example: requires => ''{"gpu": true, "mem_gb": {"at_least": 16}}''.';
  end if;
  with term as (
    select 'requires' as word, r.key as label, r.value as said from jsonb_each(coalesce(p_said -> 'requires', '{}')) r
    union all
    select 'prefers', p.key, t.said
    from jsonb_each(coalesce(p_said -> 'prefers', '{}')) p
    cross join lateral jsonb_array_elements(case jsonb_typeof(p.value) when 'array' then p.value else jsonb_build_array(p.value) end) t(said)
  ), comparison as (
    select t.word, t.label, t.said, c.how, c.than
    from term t
    left join lateral jsonb_each(case jsonb_typeof(t.said) when 'object' then t.said else jsonb_build_object('equal', t.said) end) c(how, than) on true
  )
  select c.word, c.label into v_word, v_label from comparison c
  where not coalesce(case
    when c.how in ('equal', 'not_equal') then jsonb_typeof(c.than) in ('string', 'number', 'boolean') and length(c.than #>> '{}') <= 200
    when c.how in ('at_least', 'at_most', 'above', 'below') then jsonb_typeof(c.than) = 'number'
    when c.how = 'weight' then c.word = 'prefers' and jsonb_typeof(c.than) = 'number' and (c.than #>> '{}')::numeric > 0
                               and (c.than #>> '{}')::numeric <= 1000000 and c.said - 'weight' <> '{}'
  end, false) limit 1;
  if found then
    raise exception 'what % of % says of label % makes no sense', v_word, p_name, v_label
      using errcode = '22023', hint = 'It is a text, a number or true or false, or an object of comparisons: equal, not_equal; and of numbers'
        ' at_least, at_most, above, below. What is preferred may have a weight from above 0 to 1000000.';
  end if;
  if p_said ? 'prefer_for' and not coalesce(
    jsonb_typeof(p_said -> 'prefer_for') = 'number' and (p_said ->> 'prefer_for')::numeric between 0 and 86400, false) then
    raise exception 'prefer_for of % is % and not a time of at most a day', p_name, p_said ->> 'prefer_for' using errcode = '22023';
  end if;
  if p_said ? 'sticky' and coalesce(p_said ->> 'sticky', '') not in ('soft', 'hard') then
    raise exception 'sticky of % is % and not soft or hard', p_name, p_said ->> 'sticky' using errcode = '22023';
  end if;
  return p_said;
end
$$;
