-- Each node that has not left. See views/nodes.sql.
select id, name, host, pid, version, tasks, queues, started_at, renewed_at, alive_until, alive, ordered, labels from howdah.nodes order by started_at, id;
