-- Takes back a setting of one database. Sessions that are open keep it.
alter database :"database" reset :setting;
