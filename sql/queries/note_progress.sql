-- Stores what attempts said of their progress. See functions/note_progress.sql.
select howdah.note_progress($1, $2, $3, $4) as noted;
