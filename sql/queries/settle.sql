-- Applies what ended runs mean for others. See functions/settle.sql.
select howdah.settle() as taken;
