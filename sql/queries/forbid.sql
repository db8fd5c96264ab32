-- Takes everything of ours from a role. See functions/forbid.sql.
select howdah.forbid($1);
