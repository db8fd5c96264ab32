-- Takes back a setting of all roles. Sessions that are open keep it.
alter role all reset :setting;
