-- howdah.enqueue() as something to insert into, for the places of a statement where Postgres runs only what writes:
-- `with usr as (insert ... returning ...), mail as (insert into howdah.enqueue_view (task, args) select ... from usr) ...`.
-- Each row is one run; `returning id` gives its number. Columns are the arguments of howdah.enqueue().
-- Locks: those of howdah.enqueue().
create or replace function howdah.enqueue_view() returns trigger
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  new.id := howdah.enqueue(
    task => new.task, args => coalesce(new.args, '{}'), delay => new.delay, at => new.at, priority => new.priority, queue => new.queue,
    expires => new.expires, timeout => new.timeout, tags => new.tags, metadata => new.metadata, unique_key => new.unique_key,
    unique_args => new.unique_args, unique_for => new.unique_for, parent => new.parent, child => new.child,
    on_parent_cancel => new.on_parent_cancel, traceparent => new.traceparent, keys => new.keys,
    debounce => new.debounce, debounce_max => new.debounce_max, debounce_key => new.debounce_key,
    requires => new.requires, prefers => new.prefers, prefer_for => new.prefer_for, sticky => new.sticky);
  return new;
end
$$;

create or replace view howdah.enqueue_view as
  select null::bigint as id, null::text as task, null::json as args, null::interval as delay, null::timestamptz as at, null::int as priority,
    null::text as queue, null::interval as expires, null::interval as timeout, null::text[] as tags, null::jsonb as metadata,
    null::text as unique_key, null::boolean as unique_args, null::interval as unique_for, null::bigint as parent, null::text as child,
    null::text as on_parent_cancel, null::text as traceparent, null::jsonb as keys,
    null::interval as debounce, null::interval as debounce_max, null::text as debounce_key,
    null::jsonb as requires, null::jsonb as prefers, null::interval as prefer_for, null::text as sticky
  where false;

create or replace trigger enqueue_view instead of insert on howdah.enqueue_view
  for each row execute function howdah.enqueue_view();
