-- Cancels the pending children of cancelled runs, save those that were enqueued with on_parent_cancel 'keep'. Their own
-- children follow when their ends are settled. Of each parent the next thousand children after a given one, of a hundred
-- parents: the rest goes back to inbox, so that nobody's outcomes wait for a large family.
-- Children are younger than their parents: older days are not looked at. Locks: those of cancel().
create or replace function howdah.cancel_children(p_parents bigint[], p_after bigint[]) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off
  set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_children bigint[];
  v_left bigint;
begin
  with child as materialized (
    select p.parent, c.id, c.keep, count(*) over (partition by p.parent) as seen, max(c.id) over (partition by p.parent) as last
    from unnest(p_parents[1 : 100], p_after[1 : 100]) p(parent, after)
    cross join lateral (
      select r.id, r.options ->> 'on_parent_cancel' is not distinct from 'keep' as keep
      from howdah.run r where r.parent = p.parent and r.id > p.after order by r.id limit 1000
    ) c
  ), later as (
    insert into howdah.inbox (run, what, data)
    select c.parent, 'cancelled', jsonb_build_object('after', max(c.last)) from child c where c.seen = 1000 group by c.parent
    union all
    select p.parent, 'cancelled', jsonb_build_object('after', p.after) from unnest(p_parents[101 :], p_after[101 :]) p(parent, after)
    returning run
  )
  select array_agg(c.id) filter (where not c.keep and howdah.is_pending(c.id)), (select count(*) from later) into v_children, v_left from child c;
  if v_children is not null then
    perform howdah.cancel(v_children, 'its parent was cancelled');
  end if;
  if v_left > 0 then
    perform howdah.tell('howdah_timer', '-1');
  end if;
end
$$;
