-- Whether the commits of this session wait for the disk (on) or not (off). Takes no locks.
select set_config('synchronous_commit', $1::text, false) as mode;
