-- What the catalogue knows of a task's arguments. See functions/task_input.sql.
select implemented, input from howdah.task_input($1);
