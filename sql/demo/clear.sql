-- What these files said when they were read before. Locks: rows of demo.document of files that the caller has locked.
delete from demo.document where file = any($1::text[]);
