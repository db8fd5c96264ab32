-- Enqueues one run from any language, in the caller's own transaction; returns its id. Defaults come from the
-- task catalogue; a task that nobody has defined yet waits and is listed in howdah.unimplemented.
-- unique_key, unique_args: while a run of this task with that key, or with the same arguments, has not ended (or for
-- unique_for), its id is returned and nothing is made; a retry of an ended run takes no key. parent: a run that it belongs to; child: once within that parent.
-- keys: what limits whose key is a function in Python go by, {limit: key}; without it such a task is refused.
-- debounce: it starts so long after the last enqueue with the same debounce_key (default what the task says, else one for the task),
-- at most debounce_max (default ten times debounce) after the first: until a node is given the run, its id is returned and it takes the
-- arguments of the last. A task may say so itself.
-- requires, prefers, prefer_for, sticky: which nodes may have it and which best, as checked_placement() takes them.
-- traceparent: the span that asks for it, as W3C Trace Context writes it; what is none is passed over, as that standard wants it.
-- Locks: those of submit().
create or replace function howdah.enqueue(
  task text, args json default '{}', delay interval default null, at timestamptz default null, priority int default null,
  queue text default null, expires interval default null, timeout interval default null, tags text[] default null, metadata jsonb default null,
  unique_key text default null, unique_args boolean default null, unique_for interval default null,
  parent bigint default null, child text default null, on_parent_cancel text default null, traceparent text default null,
  keys jsonb default null, debounce interval default null, debounce_max interval default null, debounce_key text default null,
  requires jsonb default null, prefers jsonb default null, prefer_for interval default null, sticky text default null
) returns bigint
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
  v_options jsonb;
begin
  if task is null or task = '' then
    raise exception 'howdah.enqueue needs the name of a task' using errcode = '22023';
  end if;
  if args is null or json_typeof(args) <> 'object' then
    raise exception 'the arguments of % must be a json object of its parameters', task
      using errcode = '22023', hint = 'For example: select howdah.enqueue(''welcome'', ''{"user_id": 1}'');';
  end if;
  if jsonb_typeof(metadata) <> 'object' then
    raise exception 'the metadata of % must be a json object', task using errcode = '22023';
  end if;
  if exists (select from jsonb_each(metadata) m where jsonb_typeof(m.value) <> 'string') then
    raise exception 'the metadata of % must have texts as values', task
      using errcode = '22023', hint = 'For example: metadata => ''{"tenant": "7"}''. They are found by text.';
  end if;
  if exists (select from unnest(array[delay, expires, timeout, unique_for, debounce, debounce_max]) i where abs(extract(epoch from i)) > 36525 * 86400.0) then
    raise exception 'delay, expires, timeout, unique_for, debounce and debounce_max are at most a hundred years' using errcode = '22023';
  end if;
  if jsonb_typeof(keys) <> 'object' then
    raise exception 'the keys of % must be a json object', task
      using errcode = '22023', hint = 'For example: keys => ''{"per-user": "1"}''.';
  end if;
  if on_parent_cancel not in ('cancel', 'keep') then
    raise exception 'on_parent_cancel is % and not cancel or keep', on_parent_cancel using errcode = '22023';
  end if;
  v_options := jsonb_strip_nulls(jsonb_build_object(
    'delay', extract(epoch from delay), 'at', at, 'priority', priority, 'queue', queue, 'expires', extract(epoch from expires),
    'timeout', extract(epoch from timeout), 'tags', to_jsonb(tags), 'metadata', metadata, 'unique_key', unique_key,
    'unique_args', nullif(unique_args, false), 'unique_for', extract(epoch from unique_for), 'parent', parent, 'child', child,
    'on_parent_cancel', on_parent_cancel, 'requires', requires, 'prefers', prefers, 'prefer_for', extract(epoch from prefer_for),
    'sticky', sticky,
    'debounce', nullif(jsonb_strip_nulls(jsonb_build_object(
      'wait', extract(epoch from debounce), 'max', extract(epoch from debounce_max), 'key', debounce_key)), '{}'),
    'trace', substring(traceparent from '^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$')));
  return (select s.ids[1] from howdah.submit(task, array[args::text], nullif(v_options, '{}'), true, array[keys::text]) s);
end
$$;
