-- The best hits for words as people type them: those with most of the words first, then by where the words stand and
-- how often. Takes no locks.
with asked as (
  select tsvector_to_array(to_tsvector('english', $1)) as lexemes,
         replace(plainto_tsquery('english', $1)::text, ' & ', ' | ')::tsquery as any_of
)
select d.name, d.kind, d.file, d.line, d.summary
from demo.document d, asked a
where d.words @@ a.any_of
order by (select count(*) from unnest(a.lexemes) l where l = any(tsvector_to_array(d.words))) desc,
         ts_rank(d.words, a.any_of, 1) desc, d.file, d.number
limit $2;
