-- Takes back a setting of one role. Sessions that are open keep it.
alter role :"role" reset :setting;
