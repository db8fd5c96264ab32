-- The next runs of lines. See functions/gate_heads.sql.
select line, queue, task, demands, priorities, runs, more, placement, sinces from howdah.gate_heads($1, $2);
