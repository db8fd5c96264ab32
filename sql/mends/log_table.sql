-- Makes a table survive a crash. Nobody reads or writes it while it is written anew.
alter table howdah.:"table" set logged;
