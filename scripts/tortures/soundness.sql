-- What holds of an index at any moment, whoever is at work on it: each block names what it finds.

-- chunk_without_content --
-- A chunk whose content is not there, or does not count it among its own.
SELECT k.id::text AS fault
FROM codebase.chunks AS k
LEFT JOIN codebase.contents AS c
    ON c.id = k.content_id AND k.id >= c.first_chunk AND k.id < c.first_chunk + c.chunk_count
WHERE c.id IS NULL;

-- content_without_chunks --
-- A content of which a chunk is missing, or that has one too many.
SELECT c.id::text AS fault
FROM codebase.contents AS c
WHERE c.chunk_count <> (SELECT count(*) FROM codebase.chunks AS k WHERE k.content_id = c.id);

-- chunk_without_vector --
-- A chunk without a vector of some model, or with two of one.
SELECT k.id::text AS fault
FROM codebase.chunks AS k
CROSS JOIN (SELECT DISTINCT model FROM codebase.embeddings) AS m
LEFT JOIN codebase.embeddings AS e ON e.chunk_id = k.id AND e.model = m.model
GROUP BY k.id, m.model HAVING count(e) <> 1;

-- vector_without_chunk --
-- A vector of a chunk that is not there.
SELECT e.chunk_id::text AS fault
FROM codebase.embeddings AS e LEFT JOIN codebase.chunks AS k ON k.id = e.chunk_id
WHERE k.id IS NULL;

-- chunk_without_segment --
-- A chunk that stands in no segment, or in several.
SELECT k.id::text AS fault
FROM codebase.chunks AS k
LEFT JOIN codebase.segments AS s ON k.id >= s.first_chunk AND k.id < s.first_chunk + s.chunks
GROUP BY k.id HAVING count(s) <> 1;

-- postings_without_segment --
-- What a term says of a segment that is not there.
SELECT DISTINCT p.segment_id::text AS fault
FROM codebase.postings AS p LEFT JOIN codebase.segments AS s ON s.id = p.segment_id
WHERE s.id IS NULL;

-- segment_without_postings --
-- A segment with terms of which nothing is told.
SELECT s.id::text AS fault
FROM codebase.segments AS s
WHERE s.total > 0 AND NOT EXISTS (SELECT FROM codebase.postings AS p WHERE p.segment_id = s.id);

-- symbol_without_content --
-- A definition in a content that is not there.
SELECT s.name AS fault
FROM codebase.symbols AS s LEFT JOIN codebase.contents AS c ON c.id = s.content_id
WHERE c.id IS NULL;

-- text_stored_twice --
-- A text of one language that two contents hold.
SELECT min(c.id)::text AS fault
FROM codebase.contents AS c
JOIN LATERAL (SELECT string_agg(k.content, E'\n' ORDER BY k.id) AS said
              FROM codebase.chunks AS k WHERE k.content_id = c.id) AS text ON true
WHERE text.said IS NOT NULL
GROUP BY c.language, c.lines, c.bytes, text.said HAVING count(*) > 1;

-- wrong_counters --
-- A repository that is said to be complete and counts its files or chunks wrongly.
SELECT r.name || ': ' || r.total_files || '/' || r.total_chunks AS fault
FROM codebase.repositories AS r
CROSS JOIN LATERAL (
    SELECT count(f.content_id) AS files, coalesce(sum(c.chunk_count), 0) AS chunks
    FROM codebase.files AS f LEFT JOIN codebase.contents AS c ON c.id = f.content_id
    WHERE f.repository_id = r.id
) AS t
WHERE r.indexing_status = 'completed'
  AND (r.total_files, r.total_chunks) IS DISTINCT FROM (t.files, t.chunks);
