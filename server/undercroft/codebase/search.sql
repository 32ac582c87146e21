-- get_state --
-- What the index consists of: the repositories with their generation, the segments.
SELECT (SELECT array_agg(r.id || ' ' || r.generation ORDER BY r.id) FROM codebase.repositories AS r)
           AS repositories,
       (SELECT array_agg(s.id ORDER BY s.id) FROM codebase.segments AS s) AS segments;

-- list_lengths --
-- How many terms each chunk has, segment by segment.
SELECT id, first_chunk, lengths FROM codebase.segments ORDER BY first_chunk;

-- list_visible --
-- Runs of chunks that stand in files of these repositories whose path and language are wanted.
SELECT DISTINCT c.first_chunk, c.chunk_count
FROM codebase.files AS f
JOIN codebase.contents AS c ON c.id = f.content_id
WHERE (cardinality($1::uuid[]) = 0 OR f.repository_id = ANY ($1))
  AND (cardinality($2::text[]) = 0 OR f.path ~ ANY ($2))
  AND (cardinality($3::text[]) = 0 OR c.language = ANY ($3));

-- find_postings --
-- Which chunks have these terms.
SELECT term, segment_id, postings FROM codebase.postings WHERE term = ANY ($1::text[]);

-- find_nearest --
-- Chunks whose vectors are the most alike, one by one; `$4`: only above this number.
SELECT chunk_id, -(embedding <#> $1::text::halfvec) AS similarity
FROM codebase.embeddings
WHERE model = $2 AND chunk_id > $4
ORDER BY embedding <#> $1::text::halfvec
LIMIT $3;

-- find_nearest_among --
-- The same among these chunks alone.
SELECT chunk_id, -(embedding <#> $1::text::halfvec) AS similarity
FROM codebase.embeddings
WHERE model = $2 AND chunk_id = ANY ($4::bigint[])
ORDER BY embedding <#> $1::text::halfvec
LIMIT $3;

-- find_defining --
-- Chunks in which these names are defined.
SELECT DISTINCT k.id
FROM codebase.symbols AS s
JOIN codebase.contents AS c ON c.id = s.content_id
JOIN codebase.chunks AS k ON k.id >= c.first_chunk AND k.id < c.first_chunk + c.chunk_count
    AND k.start_line <= s.lines[1] AND k.end_line >= s.lines[1]
WHERE s.name = ANY ($1::text[]) AND s.role = 'definition'
LIMIT $2;

-- find_named --
-- Chunks of the files whose paths share the most words with these, the first chunks first.
SELECT c.first_chunk, c.chunk_count
FROM codebase.files AS f
JOIN codebase.contents AS c ON c.id = f.content_id
WHERE f.path_terms && $1::text[] AND c.chunk_count > 0
ORDER BY (SELECT count(*) FROM unnest(f.path_terms) AS term WHERE term = ANY ($1)) DESC,
         cardinality(f.path_terms), f.path
LIMIT $2;

-- get_candidates --
-- Chunks with the places where they stand, as far as these are wanted, and how alike they are.
SELECT k.id, k.kind, k.symbol, f.repository_id, f.path,
       -(e.embedding <#> $5::text::halfvec) AS similarity
FROM codebase.chunks AS k
JOIN codebase.contents AS c ON c.id = k.content_id
JOIN codebase.files AS f ON f.content_id = c.id
LEFT JOIN codebase.embeddings AS e ON e.chunk_id = k.id AND e.model = $6
WHERE k.id = ANY ($1::bigint[])
  AND (cardinality($2::uuid[]) = 0 OR f.repository_id = ANY ($2))
  AND (cardinality($3::text[]) = 0 OR f.path ~ ANY ($3))
  AND (cardinality($4::text[]) = 0 OR c.language = ANY ($4));

-- read_hits --
-- What stands in these chunks, with the lines around them if there are any to be shown.
SELECT k.id, k.start_line, k.end_line, k.scope, k.content, c.language, c.lines,
       (SELECT array_agg(n.start_line || ' ' || n.content ORDER BY n.id)
        FROM codebase.chunks AS n
        WHERE $2 > 0 AND n.id >= c.first_chunk AND n.id < c.first_chunk + c.chunk_count
          AND n.end_line >= k.start_line - $2 AND n.start_line <= k.end_line + $2) AS around
FROM codebase.chunks AS k
JOIN codebase.contents AS c ON c.id = k.content_id
WHERE k.id = ANY ($1::bigint[]);

-- list_names --
-- What repositories are called.
SELECT id, name FROM codebase.repositories;
