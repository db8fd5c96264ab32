-- Lines that wait for the gate. See functions/gate_look.sql.
select line, queue, task, demands, priorities, runs, more, placement, sinces from howdah.gate_look($1, $2, $3);
