-- The living nodes that each of these placements (see placement_of()) allows, with a score that is higher the better they fit: the sum of
-- the weights of what they prefer, and that of softly sticky runs is 100. Where a run is hard sticky only the node of its name is allowed,
-- as long as that lives; then any. A former misfit goes to no node whose definition has refused it (misfit_placement()).
-- n counts the placements from 1. Takes no locks.
create or replace function howdah.gate_places(p_placements jsonb[]) returns table (n int, node bigint, score double precision)
  language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_sticky constant double precision := 100;
begin
  return query
  select p.n::int, d.id,
    coalesce((
      select sum(coalesce((t.said ->> 'weight')::double precision, 1))
      from jsonb_each(p.said -> 'prefers') f
      cross join lateral jsonb_array_elements(case jsonb_typeof(f.value) when 'array' then f.value else jsonb_build_array(f.value) end) t(said)
      where howdah.fits(d.labels -> f.key, t.said)
    ), 0) + case when p.said ->> 'sticky' = 'soft' and p.said ->> 'node' = d.name then v_sticky else 0 end
  from unnest(p_placements) with ordinality p(said, n)
  cross join howdah.node d
  where d.until > howdah.clock()
    and not exists (select from jsonb_each(p.said -> 'requires') r where not howdah.fits(d.labels -> r.key, r.value))
    and (p.said ->> 'sticky' is distinct from 'hard' or p.said ->> 'node' = d.name
         or not exists (select from howdah.node h where h.name = p.said ->> 'node' and h.until > howdah.clock()))
    and (not p.said ? 'refused' or exists (
      select from unnest(d.tasks, d.hashes) u(task, hash) where u.task = (p.said ->> 'task')::int and not p.said -> 'refused' ? u.hash
    ));
end
$$;
