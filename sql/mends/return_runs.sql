-- Returns to their queues what a node held that is no more, without counting a crash.
select howdah.reap_nodes(array[:node]::bigint[], null);
