-- Tells a node to pause, resume or drain. See functions/order_node.sql.
select howdah.order_node($1, $2) as node;
