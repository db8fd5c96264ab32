-- Which runs of these wait for the gate. See functions/gate_news.sql.
select line, queue, task, demands, priorities, runs, last, placement, sinces from howdah.gate_news($1, $2, $3, $4);
