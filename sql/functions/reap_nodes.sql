-- Returns what nodes that are no more held: ready again at once, or ended where it was asked to be cancelled (cancelled),
-- may not start twice (lost), or was held as the sole suspect of too many crashed nodes (quarantined).
-- p_quarantine: how many such crashes are too many; null: the nodes did not crash, and none is counted.
-- Answers the facts that somebody may want to hear of; the gate hears that they are no more. Reads the whole of job: it holds only what is pending, and crashes
-- are rare; an index would cost each claim. Locks: the job rows held, in id order.
create or replace function howdah.reap_nodes(p_nodes bigint[], p_quarantine int) returns jsonb
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_facts jsonb;
  v_back bigint[];
  v_bases constant text[] := '{howdah.errors.LeaseLost,howdah.errors.HowdahError,builtins.Exception,builtins.BaseException}';
begin
  with held as materialized (
    select j.id, j.task, j.lease, j.node, j.crashes, j.flags | coalesce((select t.flags & 4 from howdah.task t where t.id = j.task), 0) as flags
    from howdah.job j where j.node = any(p_nodes) order by j.id for update of j
  ), judged as materialized (
    select h.*, case
      when h.flags & 1 <> 0 then 17
      when h.flags & 4 <> 0 then 21
      when p_quarantine is null then 20
      when h.crashes - 1 >= p_quarantine then 22
      else 19
    end as kind
    from held h
  ), written as (
    insert into howdah.event (run, lease, node, task, kind, data)
    select d.id, d.lease, d.node, d.task, d.kind, case d.kind
      when 19 then json_build_object('crashes', d.crashes + 1)
      when 21 then json_build_object('type', 'howdah.errors.LeaseLost', 'bases', v_bases, 'message',
        format('node %s, which held it under lease %s, ended before it did, and it starts at most once', d.node, d.lease))
      when 22 then json_build_object('crashes', d.crashes + 1, 'type', 'howdah.errors.LeaseLost', 'bases', v_bases, 'message',
        format('%s nodes died while it was the only suspect that they held, the last of them node %s under lease %s',
               d.crashes - 1, d.node, d.lease))
    end
    from judged d
  )
  select coalesce(jsonb_agg(jsonb_build_object('fact', case d.kind when 22 then 'run.quarantined' else 'run.lost' end, 'run', d.id,
                                               'node', d.node, 'lease', d.lease)) filter (where d.kind in (21, 22)), '[]'),
         array_agg(d.id) filter (where d.kind in (19, 20))
  into v_facts, v_back from judged d;
  perform howdah.wake(l.queue, l.task, l.priority, l.id)
  from (
    select distinct on (j.queue, j.task) j.queue, j.task, j.priority, j.id
    from howdah.job j where j.id = any(v_back) and j.line is null order by j.queue, j.task, j.priority, j.id
  ) l;
  perform howdah.knock(array(select j.id from howdah.job j where j.id = any(v_back) and j.line is not null order by j.id));
  perform howdah.tell('howdah_gate', 'labels');
  return v_facts;
end
$$;
