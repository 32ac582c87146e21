-- add_repository --
-- A repository at that path, if there is none yet.
INSERT INTO codebase.repositories (repo_path, name) VALUES ($1, $2)
ON CONFLICT (repo_path) DO NOTHING;

-- name_repository --
-- Another name for the repository at that path.
UPDATE codebase.repositories SET name = $2, updated_at = clock_timestamp()
WHERE repo_path = $1 AND name <> $2;

-- get_repository --
-- A repository by its id or its path; `leased`: its holder's time has not run out.
SELECT id, repo_path, name, last_indexed_at, total_files, total_chunks,
       indexing_duration_seconds, indexing_status, error, generation, rules, seen,
       omitted::text AS omitted, by_git, truncated, epoch, holder, stage, run_done, run_total,
       coalesce(lease_until > clock_timestamp(), false) AS leased
FROM codebase.repositories
WHERE id = $1 OR repo_path = $2;

-- list_repositories --
-- All repositories by name.
SELECT id, repo_path, name, last_indexed_at, total_files, total_chunks,
       indexing_duration_seconds, indexing_status, error, generation, rules, seen,
       omitted::text AS omitted, by_git, truncated, epoch, holder, stage, run_done, run_total,
       coalesce(lease_until > clock_timestamp(), false) AS leased
FROM codebase.repositories
ORDER BY name, repo_path;

-- list_standing --
-- Repositories by name, as far as a search asks: what the disk looked like when they were indexed.
SELECT id, name, repo_path, seen, rules FROM codebase.repositories ORDER BY name, repo_path;

-- take_lease --
-- Begin a run, unless somebody is at work; `$4`: the epoch of a holder who is known to be dead.
UPDATE codebase.repositories
SET epoch = epoch + 1, lease_until = clock_timestamp() + make_interval(secs => $2), holder = $3,
    cancelled = false, indexing_status = 'in_progress', error = '', stage = 'walking',
    run_done = 0, run_total = 0, run_started_at = clock_timestamp(),
    rules = CASE WHEN rules = '' THEN $5 ELSE rules END, updated_at = clock_timestamp()
WHERE id = $1 AND (lease_until IS NULL OR lease_until < clock_timestamp() OR epoch = $4)
RETURNING epoch, rules, generation;

-- renew_lease --
-- The holder is alive; whether somebody wants it to stop. No row: it holds the lease no more.
UPDATE codebase.repositories
SET lease_until = clock_timestamp() + make_interval(secs => $3),
    stage = $4, run_done = $5, run_total = $6
WHERE id = $1 AND epoch = $2 AND lease_until IS NOT NULL
RETURNING cancelled;

-- admit_batch --
-- What a run has just stored counts, if it still holds the lease and nobody wants it to stop.
UPDATE codebase.repositories
SET generation = generation + 1, seen = NULL, run_done = run_done + $3,
    updated_at = clock_timestamp()
WHERE id = $1 AND epoch = $2 AND lease_until IS NOT NULL AND NOT cancelled
RETURNING generation;

-- finish_run --
-- All of a walk is stored: the index is as the disk was.
UPDATE codebase.repositories
SET indexing_status = 'completed', error = '', stage = '', lease_until = NULL, holder = '',
    last_indexed_at = clock_timestamp(), total_files = $3, total_chunks = $4,
    indexing_duration_seconds = extract(epoch FROM clock_timestamp() - run_started_at),
    rules = $5, seen = $6, omitted = $7::jsonb, by_git = $8, truncated = $9,
    run_done = run_total, updated_at = clock_timestamp()
WHERE id = $1 AND epoch = $2
RETURNING generation;

-- end_run --
-- A run ends before it is through; what it has stored stays. One that has finished stays so: its
-- holder may not have heard of it when the connection broke.
UPDATE codebase.repositories
SET indexing_status = $3, error = $4, stage = '', lease_until = NULL, holder = '',
    updated_at = clock_timestamp()
WHERE id = $1 AND epoch = $2 AND lease_until IS NOT NULL;

-- request_cancel --
-- Ask whoever is at work on a repository to stop.
UPDATE codebase.repositories SET cancelled = true, updated_at = clock_timestamp()
WHERE id = $1 AND lease_until > clock_timestamp();

-- delete_repository --
-- Forget a repository and its files, whoever is at work on it.
DELETE FROM codebase.repositories WHERE id = $1;

-- list_files --
-- What is known of each file, to be compared with the disk.
SELECT path, size, mtime_ns, inode FROM codebase.files WHERE repository_id = $1;

-- count_files --
-- Searchable files and their chunks.
SELECT count(f.content_id) AS files, coalesce(sum(c.chunk_count), 0) AS chunks
FROM codebase.files AS f LEFT JOIN codebase.contents AS c ON c.id = f.content_id
WHERE f.repository_id = $1;

-- count_omitted --
-- Files left out for what is in them, by reason, each with the first of them.
SELECT omitted AS reason, count(*) AS files, (array_agg(path ORDER BY path))[:3] AS examples
FROM codebase.files
WHERE repository_id = $1 AND omitted <> ''
GROUP BY omitted;

-- find_hashes --
-- Which of these contents are stored.
SELECT encode(hash, 'hex') AS hash
FROM codebase.contents
WHERE hash = ANY (SELECT decode(wanted, 'hex') FROM unnest($1::text[]) AS wanted);

-- take_numbers --
-- Numbers for new contents, chunks and a segment; whoever has them adds alone until it commits.
UPDATE codebase.counters
SET next_content = next_content + $1, next_chunk = next_chunk + $2, next_segment = next_segment + $3
RETURNING next_content - $1 AS content, next_chunk - $2 AS chunk, next_segment - $3 AS segment;

-- add_segment --
-- A batch of chunks for the lexical search.
INSERT INTO codebase.segments (id, first_chunk, chunks, live, total, lengths)
VALUES ($1, $2, $3, $4, $5, $6);

-- put_files --
-- What files hold now; a file whose content is not stored (yet) is not among those returned.
INSERT INTO codebase.files AS f
    (repository_id, path, content_id, omitted, size, mtime_ns, inode, path_terms)
SELECT $1, new.path, c.id, new.omitted, new.size, new.mtime_ns, new.inode,
       string_to_array(new.terms, ' ')
FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
            $8::text[]) AS new (path, hash, omitted, size, mtime_ns, inode, terms)
LEFT JOIN codebase.contents AS c ON c.hash = decode(new.hash, 'hex')
WHERE new.omitted <> '' OR c.id IS NOT NULL
ON CONFLICT (repository_id, path) DO UPDATE
SET content_id = excluded.content_id, omitted = excluded.omitted, size = excluded.size,
    mtime_ns = excluded.mtime_ns, inode = excluded.inode
RETURNING path;

-- delete_files --
-- Files that are gone.
DELETE FROM codebase.files WHERE repository_id = $1 AND path = ANY ($2::text[]);

-- get_model --
-- The number of an embedding model, and how many numbers its vectors have.
SELECT id, dimension FROM codebase.models WHERE identity = $1;

-- add_model --
-- An embedding model, if it is new.
INSERT INTO codebase.models (identity, dimension) VALUES ($1, $2)
ON CONFLICT (identity) DO NOTHING;

-- hold_numbers --
-- From now on until the end of this transaction nobody else adds contents or removes any.
SELECT next_chunk FROM codebase.counters FOR UPDATE;

-- find_dead --
-- Contents that no file holds.
SELECT id, first_chunk, chunk_count
FROM codebase.contents AS c
WHERE NOT EXISTS (SELECT FROM codebase.files AS f WHERE f.content_id = c.id)
LIMIT $1;

-- delete_contents --
-- Contents that no file holds, by their ids.
DELETE FROM codebase.contents WHERE id = ANY ($1::bigint[]);

-- delete_symbols --
-- What they define.
DELETE FROM codebase.symbols WHERE content_id = ANY ($1::bigint[]);

-- delete_chunks --
-- Their chunks.
DELETE FROM codebase.chunks AS k
USING unnest($1::bigint[], $2::integer[]) AS dead (first, count)
WHERE k.id >= dead.first AND k.id < dead.first + dead.count;

-- delete_embeddings --
-- The vectors of those chunks.
DELETE FROM codebase.embeddings AS e
USING unnest($1::bigint[], $2::integer[]) AS dead (first, count)
WHERE e.chunk_id >= dead.first AND e.chunk_id < dead.first + dead.count;

-- list_segments --
-- Segments in order, each with the number of its chunks that are still there.
SELECT s.id, s.first_chunk, s.chunks, s.live AS written,
       (SELECT count(*) FROM codebase.chunks AS k
        WHERE k.id >= s.first_chunk AND k.id < s.first_chunk + s.chunks) AS live
FROM codebase.segments AS s
ORDER BY s.first_chunk;

-- list_live --
-- The chunks of a range that are still there, in order.
SELECT id FROM codebase.chunks WHERE id >= $1 AND id < $2 ORDER BY id;

-- read_segments --
-- Segments with the number of terms in each chunk.
SELECT id, first_chunk, chunks, lengths FROM codebase.segments WHERE id = ANY ($1::integer[]);

-- read_postings --
-- Everything that these segments tell, term by term.
SELECT term, segment_id, postings FROM codebase.postings
WHERE segment_id = ANY ($1::integer[])
ORDER BY term;

-- delete_segments --
-- Segments that others stand for now.
DELETE FROM codebase.segments WHERE id = ANY ($1::integer[]);

-- delete_postings --
-- What they told.
DELETE FROM codebase.postings WHERE segment_id = ANY ($1::integer[]);

-- list_models --
-- Embedding models with the last chunk up to which there is a vector of each.
SELECT id, dimension, indexed_to, filled_to AS last_chunk FROM codebase.models ORDER BY id;

-- set_indexed_to --
-- An index of this model holds the chunks up to that number.
UPDATE codebase.models SET indexed_to = $2 WHERE id = $1;

-- list_vector_indexes --
-- Indexes that no model asks any more, or whose build was cut off, and that nobody is building.
SELECT quote_ident(c.relname) AS name
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indrelid = 'codebase.embeddings'::regclass AND starts_with(c.relname, 'embeddings_x_')
  AND NOT EXISTS (SELECT FROM codebase.models AS m
                  WHERE c.relname = 'embeddings_x_' || m.id || '_' || m.indexed_to
                    AND i.indisvalid)
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS p
                  WHERE p.index_relid = c.oid AND p.datname = current_database());

-- get_owner --
-- The role that owns the vectors, quoted for use in a statement.
SELECT quote_ident(pg_get_userbyid(relowner)) AS owner
FROM pg_class
WHERE oid = 'codebase.embeddings'::regclass;

-- try_vector_turn --
-- Whether this session may build the index; one at a time, or they would wait for each other.
SELECT pg_try_advisory_lock(hashtext('undercroft.vector_index')) AS mine;

-- end_vector_turn --
-- Let the next one look after the index.
SELECT pg_advisory_unlock(hashtext('undercroft.vector_index'));
