-- find_definitions --
-- Where a name is defined, with the line that does it.
SELECT r.name AS repository, f.path, s.kind, s.scope, s.lines[1] AS line, s.end_line,
       (SELECT (string_to_array(k.content, E'\n'))[s.lines[1] - k.start_line + 1]
        FROM codebase.chunks AS k
        WHERE k.id >= c.first_chunk AND k.id < c.first_chunk + c.chunk_count
          AND k.start_line <= s.lines[1] AND k.end_line >= s.lines[1]
        LIMIT 1) AS text
FROM codebase.symbols AS s
JOIN codebase.contents AS c ON c.id = s.content_id
JOIN codebase.files AS f ON f.content_id = c.id
JOIN codebase.repositories AS r ON r.id = f.repository_id
WHERE s.name = $1 AND s.role = 'definition' AND (cardinality($2::uuid[]) = 0 OR r.id = ANY ($2))
LIMIT $3;

-- find_uses --
-- What the contents of these chunks use, of those that use a name.
SELECT r.name AS repository, f.path, c.uses
FROM codebase.contents AS c
JOIN codebase.files AS f ON f.content_id = c.id
JOIN codebase.repositories AS r ON r.id = f.repository_id
WHERE c.id IN (SELECT k.content_id FROM codebase.chunks AS k WHERE k.id = ANY ($1::bigint[]))
  AND strpos(c.uses, $2) > 0
  AND (cardinality($3::uuid[]) = 0 OR r.id = ANY ($3))
LIMIT $4;

-- find_similar_names --
-- Names that differ in case, or contain the one that was asked for.
SELECT name FROM codebase.symbols
WHERE role = 'definition' AND name ILIKE '%' || $1 || '%'
GROUP BY name ORDER BY length(name), name LIMIT 5;

-- find_file --
-- The files whose path is this one or ends with it.
SELECT r.name AS repository, f.path, c.id AS content_id, c.language, c.lines, c.first_chunk,
       c.chunk_count
FROM codebase.files AS f
JOIN codebase.contents AS c ON c.id = f.content_id
JOIN codebase.repositories AS r ON r.id = f.repository_id
WHERE (f.path = $1 OR right(f.path, length($1) + 1) = '/' || $1)
  AND (cardinality($2::uuid[]) = 0 OR r.id = ANY ($2))
ORDER BY f.path <> $1, length(f.path), f.path, r.name
LIMIT 6;

-- read_chunks --
-- The chunks of a content that touch these lines, in order.
SELECT id, start_line, end_line, kind, symbol, scope, content
FROM codebase.chunks
WHERE id >= $1 AND id < $1 + $2 AND end_line >= $3 AND start_line <= $4
ORDER BY id;

-- get_vector --
-- A chunk's content, and its vector with the model that made it.
SELECT k.content_id, e.model, e.embedding::text AS vector
FROM codebase.chunks AS k JOIN codebase.embeddings AS e ON e.chunk_id = k.id
WHERE k.id = $1 AND e.model = (SELECT answering FROM codebase.vectors);

-- read_alike --
-- Chunks where they stand, in the order they are given in, but for those of one content.
SELECT r.name AS repository, f.path, k.start_line, k.end_line, c.language, k.kind, k.symbol,
       k.scope, k.content, near.similarity
FROM unnest($1::bigint[], $2::float8[]) AS near (chunk_id, similarity)
JOIN codebase.chunks AS k ON k.id = near.chunk_id
JOIN codebase.contents AS c ON c.id = k.content_id
JOIN codebase.files AS f ON f.content_id = c.id
JOIN codebase.repositories AS r ON r.id = f.repository_id
WHERE k.content_id <> $3
ORDER BY near.similarity DESC, f.path, k.start_line;
