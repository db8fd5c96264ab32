-- One round of what every living node does: reaps dead nodes, fires what is due.
select fired, expired, facts from howdah.keep(1000, 1, :quarantine_after);
