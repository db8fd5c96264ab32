-- Symptoms of tables that the caller may not see. See functions/checkup.sql.
select c.symptom, c.subject, c.detail, c.n, extract(epoch from howdah.clock() - c.since)::double precision as age_s from howdah.checkup($1) c;
