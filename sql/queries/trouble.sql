-- What went wrong lately, in groups. See functions/trouble.sql.
select task, state, fingerprint, error_type, message, runs, newest, newest_at, truncated from howdah.trouble($1);
