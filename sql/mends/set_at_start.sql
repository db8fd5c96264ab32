-- Sets a setting that counts from the next start of the server on.
alter system set :setting = :'value';  -- then restart Postgres
