-- A node leaves. See functions/leave_node.sql.
select howdah.leave_node($1);
