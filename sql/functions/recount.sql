-- Compares the counts of pending runs with the hot tables, and notes the differences as a tally, so that the sums are right from
-- then on: for operators, should anybody have changed rows by hand. Right while everything runs: one statement sees one moment.
-- Reads the hot tables in full. Answers how many lines (queue, task) were wrong. Takes no locks.
create or replace function howdah.recount() returns int
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_count int;
begin
  with held as (
    select j.queue, j.task, (j.lease is null)::int as ready, (j.lease is not null)::int as running, 0 as later from howdah.job j
    union all select m.queue, m.task, 1, 0, 0 from howdah.misfit m
    union all select w.queue, w.task, 0, 0, 1 from howdah.timer w
    union all select s.queue, s.task, -s.ready, -s.running, -s.later from howdah.standing() s
  )
  insert into howdah.tally (queue, task, n, ready, running, later)
  select h.queue, h.task, 0, sum(h.ready), sum(h.running), sum(h.later) from held h group by h.queue, h.task
  having sum(h.ready) <> 0 or sum(h.running) <> 0 or sum(h.later) <> 0;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;
