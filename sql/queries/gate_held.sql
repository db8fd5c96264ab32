-- What nodes hold under limits. See functions/gate_held.sql.
select run, lease, node, task, demands from howdah.gate_held();
