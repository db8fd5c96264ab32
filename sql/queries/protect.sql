-- Leaves nothing to the public, and gives permitted roles what they need. See functions/protect.sql.
select howdah.protect();
