-- The rows of an index once more, by COPY alone.

-- get_owner --
-- The role that owns the index, quoted for use in a statement.
SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class
WHERE oid = 'codebase.chunks'::regclass;

-- make_schema --
-- Where the bare tables stand.
CREATE SCHEMA bare;

-- measure_database --
-- Bytes of the whole database.
SELECT pg_database_size(current_database());

-- find_name --
-- A name that some chunk defines: what a search has to find.
SELECT name FROM codebase.symbols
WHERE role = 'definition' AND kind = 'function' AND length(name) > 12
ORDER BY content_id DESC LIMIT 1;

-- count_languages --
-- The languages of the files, the most frequent first.
SELECT c.language, count(*) AS files
FROM codebase.files AS f JOIN codebase.contents AS c ON c.id = f.content_id
GROUP BY c.language ORDER BY files DESC LIMIT $1;
