-- A node says what it has. See functions/label_node.sql.
select howdah.label_node($1, $2::text::jsonb) as noted;
