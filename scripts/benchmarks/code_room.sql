-- Makes a project's index as large as is wanted, from the real one of a part; for benchmarks only.

-- get_sizes --
-- Numbers of the real part: what is copied lies up to them.
SELECT next_content - 1 AS contents, next_chunk - 1 AS chunks, next_segment - 1 AS segments
FROM codebase.counters;

-- copy_contents --
-- The contents up to $1 once more, their numbers raised by $2, those of their chunks by $3.
INSERT INTO codebase.contents
    (id, hash, language, lines, bytes, masked, first_chunk, chunk_count, fallback, uses)
SELECT id + $2, sha256(hash || int8send($2)), language, lines, bytes, masked, first_chunk + $3,
       chunk_count, fallback, uses
FROM codebase.contents WHERE id <= $1;

-- copy_chunks --
-- The chunks up to $1 once more, their numbers raised by $2, those of their contents by $3.
INSERT INTO codebase.chunks (id, content_id, start_line, end_line, kind, symbol, scope, content)
SELECT id + $2, content_id + $3, start_line, end_line, kind, symbol, scope, content
FROM codebase.chunks WHERE id <= $1;

-- copy_symbols --
-- What the contents up to $1 define, raised by $2; rare names get an ending, common ones stay.
INSERT INTO codebase.symbols (content_id, name, role, kind, scope, lines, end_line)
SELECT s.content_id + $2, CASE WHEN n.times > 3 THEN s.name ELSE s.name || '_' || $3::text END,
       s.role, s.kind, s.scope, s.lines, s.end_line
FROM codebase.symbols AS s
JOIN (SELECT name, count(*) AS times FROM codebase.symbols WHERE content_id <= $1 GROUP BY name) AS n
    ON n.name = s.name
WHERE s.content_id <= $1;

-- copy_postings --
-- The postings of the segments up to $1, raised by $2; rare terms get an ending, as vocabulary grows.
INSERT INTO codebase.postings (term, segment_id, postings)
SELECT CASE WHEN n.bytes > 9 THEN p.term ELSE p.term || 'qz' || $3::text END AS term, p.segment_id + $2,
       p.postings
FROM codebase.postings AS p
JOIN (SELECT term, sum(length(postings)) AS bytes FROM codebase.postings WHERE segment_id <= $1
      GROUP BY term) AS n ON n.term = p.term
WHERE p.segment_id <= $1
ORDER BY 1;

-- read_segments --
-- The segments up to $1.
SELECT id, first_chunk, chunks, lengths FROM codebase.segments WHERE id <= $1;

-- copy_segment --
-- One segment.
INSERT INTO codebase.segments (id, first_chunk, chunks, live, total, lengths)
VALUES ($1, $2, $3, $3, $4, $5);

-- read_vectors --
-- The vectors of the chunks up to a number that the caller writes in.
SELECT chunk_id, model, embedding FROM codebase.embeddings WHERE chunk_id <= {chunks}
ORDER BY chunk_id;

-- copy_files --
-- The files of the first folder once more in another; contents up to $1 are raised by $2.
INSERT INTO codebase.files
    (repository_id, path, content_id, omitted, size, mtime_ns, inode, path_terms)
SELECT repository_id, $3 || substr(path, strpos(path, '/')), content_id + $2, omitted, size,
       mtime_ns, inode, path_terms
FROM codebase.files WHERE path LIKE 'part0/%' AND coalesce(content_id, 0) <= $1;

-- raise_counters --
-- What has been copied counts.
UPDATE codebase.counters
SET next_content = next_content + $1, next_chunk = next_chunk + $2,
    next_segment = next_segment + $3;

-- count_vectors --
-- Each chunk has its vector.
UPDATE codebase.models SET filled_to = (SELECT next_chunk - 1 FROM codebase.counters);

-- end_copying --
-- The index is as the disk is; `$1` says what the disk looks like.
UPDATE codebase.repositories
SET seen = $1, generation = generation + 1,
    total_files = (SELECT count(content_id) FROM codebase.files),
    total_chunks = (SELECT count(*) FROM codebase.chunks);

-- get_owner --
-- The role that owns the tables, quoted for use in a statement.
SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class
WHERE oid = 'codebase.chunks'::regclass;

-- tidy_files --
-- What autovacuum would do in a while.
VACUUM (ANALYZE) codebase.files, codebase.contents, codebase.chunks, codebase.symbols,
    codebase.embeddings, codebase.segments, codebase.postings, codebase.repositories;

-- count_room --
-- How large it has become.
SELECT total_files AS files, total_chunks AS chunks FROM codebase.repositories;

-- list_words --
-- Names that are defined, to be asked for.
SELECT name FROM (SELECT DISTINCT name FROM codebase.symbols) AS s ORDER BY md5(name) LIMIT 2000;

-- find_exactly --
-- The nearest vectors without any index.
SELECT chunk_id, -(embedding <#> (SELECT $1::text::halfvec)) AS similarity
FROM codebase.embeddings
ORDER BY embedding <#> (SELECT $1::text::halfvec)
LIMIT $2;

-- get_model --
-- The model whose vectors there are.
SELECT id, dimension, indexed_to FROM codebase.models;
