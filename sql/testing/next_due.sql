-- When something happens next by itself: a timer, or the end of the time in which a run may start. Takes no locks.
select least(
  (select min(i.due) from howdah.timer i),
  (select min(j.expires) from howdah.job j where j.attempt = 0 and j.lease is null)
) as due;
