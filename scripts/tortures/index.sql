-- What an index says of its files, whatever numbers it has given them.

-- list_files --
-- Each file with what is known of its content.
SELECT f.path, f.omitted, c.language, c.lines, c.bytes, c.masked, c.fallback, c.uses
FROM codebase.files AS f LEFT JOIN codebase.contents AS c ON c.id = f.content_id
WHERE f.repository_id = $1;

-- list_chunks --
-- Each chunk of each file, with its vector.
SELECT f.path, k.id, k.start_line, k.end_line, k.kind, k.symbol, k.scope, k.content,
       (SELECT string_agg(e.embedding::text, ' ' ORDER BY e.model)
        FROM codebase.embeddings AS e WHERE e.chunk_id = k.id) AS vectors
FROM codebase.files AS f
JOIN codebase.contents AS c ON c.id = f.content_id
JOIN codebase.chunks AS k ON k.id >= c.first_chunk AND k.id < c.first_chunk + c.chunk_count
WHERE f.repository_id = $1;

-- list_symbols --
-- Each definition of each file.
SELECT f.path, s.name, s.role, s.kind, s.scope, s.lines, s.end_line
FROM codebase.files AS f JOIN codebase.symbols AS s ON s.content_id = f.content_id
WHERE f.repository_id = $1;

-- list_postings --
-- What each segment tells of its terms.
SELECT s.first_chunk, s.chunks, p.term, p.postings
FROM codebase.segments AS s JOIN codebase.postings AS p ON p.segment_id = s.id;

-- list_texts --
-- The text of each file as it is stored.
SELECT f.path, f.omitted, coalesce(string_agg(k.content, E'\n' ORDER BY k.id), '') AS content
FROM codebase.files AS f
LEFT JOIN codebase.contents AS c ON c.id = f.content_id
LEFT JOIN codebase.chunks AS k ON k.id >= c.first_chunk AND k.id < c.first_chunk + c.chunk_count
WHERE f.repository_id = $1
GROUP BY f.path, f.omitted;

-- list_repositories --
-- Every repository, with what a status is told from.
SELECT r.*, r.omitted::text AS omitted, coalesce(lease_until > clock_timestamp(), false) AS leased,
       extract(epoch FROM run_started_at)::float8 AS began
FROM codebase.repositories AS r;

-- list_dead --
-- Contents that no file holds.
SELECT id::text AS fault FROM codebase.contents AS c
WHERE NOT EXISTS (SELECT FROM codebase.files AS f WHERE f.content_id = c.id);

-- expire_leases --
-- As if time had passed: whoever is at work is believed to be dead.
UPDATE codebase.repositories SET lease_until = clock_timestamp() WHERE lease_until IS NOT NULL;

-- list_columns --
-- Every column of every table that is not the server's own.
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS owner,
       quote_ident(a.attname) AS name, a.atttypid = 'bytea'::regtype AS raw
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
  AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
ORDER BY 1, a.attnum;

-- watch_files --
-- Note every change of files that counts although the last run has ended.
CREATE TABLE public.unleased (at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE FUNCTION public.note_unleased() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO public.unleased
    SELECT FROM codebase.repositories WHERE indexing_status <> 'in_progress';
    RETURN NULL;
END
$$;
CREATE TRIGGER note_unleased AFTER INSERT OR UPDATE OR DELETE ON codebase.files
FOR EACH STATEMENT EXECUTE FUNCTION public.note_unleased();

-- list_unleased --
-- What was noted.
SELECT at::text AS fault FROM public.unleased;

-- count_transactions --
-- Sessions of servers that are in a transaction.
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL;
