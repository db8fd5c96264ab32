-- By how much a waiting run was raised above the priority that was asked for, since it has waited for long (age()). Null: not at
-- all, which costs a row nothing. What goes on to a timer goes without it: a wait that has ended counts no more.
alter table howdah.job add column lifted int;
