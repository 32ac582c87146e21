-- get_state --
-- What the index consists of: repositories with generation and name, segments, models of vectors;
-- and the model whose vectors answer, with how much of the code has one.
SELECT (SELECT array_agg(r.id || ' ' || r.generation ORDER BY r.id) FROM codebase.repositories AS r)
           AS repositories,
       (SELECT array_agg(ARRAY[r.id::text, r.name]) FROM codebase.repositories AS r) AS names,
       (SELECT array_agg(s.id ORDER BY s.id) FROM codebase.segments AS s) AS segments,
       (SELECT array_agg(ARRAY[m.id, m.dimension, m.indexed_to]) FROM codebase.models AS m)
           AS models,
       a.id, a.identity, a.dimension, a.filled_to, c.next_chunk - 1 AS last_chunk
FROM codebase.counters AS c
LEFT JOIN codebase.vectors AS v ON true
LEFT JOIN codebase.models AS a ON a.id = v.answering;

-- list_lengths --
-- How many terms each chunk has, segment by segment.
SELECT id, first_chunk, lengths FROM codebase.segments ORDER BY first_chunk;

-- list_visible --
-- Runs of chunks that stand in wanted files: of each, in one value, its first chunk and its length.
SELECT string_agg(int8send(c.first_chunk) || int4send(c.chunk_count), '') AS runs
FROM codebase.files AS f
JOIN codebase.contents AS c ON c.id = f.content_id
WHERE (cardinality($1::uuid[]) = 0 OR f.repository_id = ANY ($1))
  AND (cardinality($2::text[]) = 0 OR f.path ~ ANY ($2))
  AND (cardinality($3::text[]) = 0 OR c.language = ANY ($3));

-- find_postings --
-- Which chunks have these terms.
SELECT term, segment_id, postings FROM codebase.postings WHERE term = ANY ($1::text[]);

-- find_nearest_among --
-- Of runs of chunks, given by first chunks and lengths, those whose vectors are the most alike.
SELECT e.chunk_id, -(e.embedding <#> (SELECT $1::text::halfvec)) AS similarity
FROM unnest($4::bigint[], $5::bigint[]) AS run (first, length)
CROSS JOIN LATERAL (
    SELECT n.chunk_id, n.embedding FROM codebase.embeddings AS n
    WHERE n.chunk_id >= run.first AND n.chunk_id < run.first + run.length AND n.model = $2
    OFFSET 0
) AS e
ORDER BY e.embedding <#> (SELECT $1::text::halfvec)
LIMIT $3;

-- find_called --
-- Runs of chunks by what they are called: those that define one of these names, one by one, and all
-- of the files whose paths share the most words with `$2`, shortest paths first. A word that is in
-- more than `$8` paths tells none from the other, and would cost the most.
(
    WITH defined AS MATERIALIZED (
        SELECT s.content_id, s.lines[1] AS line
        FROM codebase.symbols AS s
        WHERE s.name = ANY ($1::text[]) AND s.role = 'definition'
          AND EXISTS (SELECT FROM codebase.files AS f
                      JOIN codebase.contents AS c ON c.id = f.content_id
                      WHERE f.content_id = s.content_id
                        AND (cardinality($3::uuid[]) = 0 OR f.repository_id = ANY ($3))
                        AND (cardinality($4::text[]) = 0 OR f.path ~ ANY ($4))
                        AND (cardinality($5::text[]) = 0 OR c.language = ANY ($5)))
        LIMIT $6
    )
    SELECT DISTINCT k.id AS first_chunk, 1 AS chunk_count
    FROM defined AS d
    JOIN codebase.contents AS c ON c.id = d.content_id
    CROSS JOIN LATERAL (
        -- Held together: alone, the planner may compare every chunk with every definition.
        SELECT n.id FROM codebase.chunks AS n
        WHERE n.id >= c.first_chunk AND n.id < c.first_chunk + c.chunk_count
          AND n.start_line <= d.line AND n.end_line >= d.line
        OFFSET 0
    ) AS k
)
UNION ALL
(
    SELECT c.first_chunk, c.chunk_count
    FROM (
        SELECT sharing.content_id, sharing.path, count(*) AS shared, sharing.terms
        FROM (
            SELECT f.content_id, f.repository_id, f.path, f.terms,
                   count(*) OVER (PARTITION BY word.text) AS paths
            FROM unnest($2::text[]) AS word (text)
            CROSS JOIN LATERAL (
                SELECT n.content_id, n.repository_id, n.path, cardinality(n.path_terms) AS terms
                FROM codebase.files AS n
                WHERE n.path_terms @> ARRAY[word.text]
                  AND n.content_id IS NOT NULL
                  AND (cardinality($3::uuid[]) = 0 OR n.repository_id = ANY ($3))
                  AND (cardinality($4::text[]) = 0 OR n.path ~ ANY ($4))
                  AND (cardinality($5::text[]) = 0
                       OR EXISTS (SELECT FROM codebase.contents AS l
                                  WHERE l.id = n.content_id AND l.language = ANY ($5)))
                LIMIT $8 + 1
            ) AS f
        ) AS sharing
        WHERE sharing.paths <= $8
        GROUP BY sharing.repository_id, sharing.path, sharing.content_id, sharing.terms
        ORDER BY shared DESC, sharing.terms, sharing.path
        -- Some of them are empty.
        LIMIT 3 * $7
    ) AS named
    JOIN codebase.contents AS c ON c.id = named.content_id
    WHERE c.chunk_count > 0
    ORDER BY named.shared DESC, named.terms, named.path
    LIMIT $7
);

-- get_candidates --
-- Chunks with the places where they stand, as far as these are wanted, and how alike they are; 0
-- where they have no vector or `$6` is no model.
SELECT k.id, f.repository_id::text, f.path, k.kind, k.symbol, k.scope,
       coalesce(CASE WHEN $6 > 0 THEN (
           SELECT -(e.embedding <#> (SELECT $5::text::halfvec)) FROM codebase.embeddings AS e
           WHERE e.chunk_id = k.id AND e.model = $6
       ) END, 0.0) AS similarity
FROM codebase.chunks AS k
JOIN codebase.files AS f ON f.content_id = k.content_id
WHERE k.id = ANY ($1::bigint[])
  AND (cardinality($2::uuid[]) = 0 OR f.repository_id = ANY ($2))
  AND (cardinality($3::text[]) = 0 OR f.path ~ ANY ($3))
  AND (cardinality($4::text[]) = 0
       OR EXISTS (SELECT FROM codebase.contents AS c
                  WHERE c.id = k.content_id AND c.language = ANY ($4)));

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
