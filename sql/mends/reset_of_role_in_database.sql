-- Takes back a setting of one role in one database. Sessions that are open keep it.
alter role :"role" in database :"database" reset :setting;
