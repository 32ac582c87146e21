-- Vectors of a model other than the built-in one stay, but nothing asks them any more.
DROP VIEW codebase.code_chunks;
DROP TABLE codebase.vectors;
ALTER TABLE codebase.models DROP COLUMN filled_to, DROP COLUMN cleared_to;

CREATE VIEW codebase.code_chunks AS
SELECT chunk.id, file.repository_id, file.path AS file_path, content.language AS file_type,
       chunk.content, chunk.start_line, chunk.end_line, embedded.embedding,
       (SELECT array_to_string((string_to_array(before.content, E'\n'))
            [greatest(1, before.end_line - before.start_line - 1):], E'\n')
        FROM codebase.chunks AS before
        WHERE before.id = chunk.id - 1 AND before.content_id = chunk.content_id) AS context_before,
       (SELECT array_to_string((string_to_array(after.content, E'\n'))[:3], E'\n')
        FROM codebase.chunks AS after
        WHERE after.id = chunk.id + 1 AND after.content_id = chunk.content_id) AS context_after,
       content.created_at, chunk.kind, chunk.symbol, chunk.scope, content.id AS content_id
FROM codebase.files AS file
JOIN codebase.contents AS content ON content.id = file.content_id
JOIN codebase.chunks AS chunk
    ON chunk.id >= content.first_chunk AND chunk.id < content.first_chunk + content.chunk_count
LEFT JOIN LATERAL (
    SELECT e.embedding FROM codebase.embeddings AS e
    WHERE e.chunk_id = chunk.id ORDER BY e.model DESC LIMIT 1
) AS embedded ON true;

GRANT SELECT ON codebase.code_chunks TO :app;
