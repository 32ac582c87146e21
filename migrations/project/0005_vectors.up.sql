-- Which model's vectors answer, which one is being brought in, and who is at work on that:
--
--   models ──< embeddings        vectors (one row): answering, target, lease
--
-- A model's vectors are made in the order of the chunks' numbers, which only grow, so one number
-- tells how far it is, and whoever goes on after a crash begins there.

-- Every chunk that is there up to this number has a vector of the model.
ALTER TABLE codebase.models ADD COLUMN filled_to bigint NOT NULL DEFAULT 0;
-- No chunk up to this number has one any more: what is behind a model that nobody uses.
ALTER TABLE codebase.models ADD COLUMN cleared_to bigint NOT NULL DEFAULT 0;

CREATE TABLE codebase.vectors (
    single      boolean PRIMARY KEY DEFAULT true CHECK (single),
    -- Whose vectors searches use; NULL: none have been made.
    answering   smallint,
    -- Whose vectors the project wants; it answers as soon as it has all of them.
    target      smallint,
    -- Who fills them, until when it is to be believed, and the epoch that its writes name.
    epoch       bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    holder      text NOT NULL DEFAULT '',
    -- Why it does not go on; empty: it does.
    waits_for   text NOT NULL DEFAULT ''
);
INSERT INTO codebase.vectors (answering, target)
SELECT max(id), max(id) FROM codebase.models;

CREATE OR REPLACE VIEW codebase.code_chunks AS
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
LEFT JOIN codebase.embeddings AS embedded
    ON embedded.chunk_id = chunk.id
    AND embedded.model = (SELECT answering FROM codebase.vectors);

GRANT SELECT, UPDATE ON codebase.vectors TO :app;
