-- Code that can be searched. What a file says is stored once, whoever holds it:
--
--   repositories ──< files >── contents ──< chunks ──< embeddings >── models
--    (a checkout)   (a path)   (a text)   │
--                                         ├──< symbols
--                              segments ──┴──< postings
--
-- A content is a text after its secrets were masked, found by its digest; a second worktree or a
-- branch costs rows of files alone. Contents, chunks, symbols, embeddings, segments and postings
-- never change: they are added by the transaction that stores a batch of files, and removed when no
-- file holds the content any more. The one row of counters lets one transaction at a time add
-- to them, so their numbers follow each other without gaps and no content is stored twice.
--
-- No foreign key stands where rows arrive by the hundred thousand (a check costs 10 µs a row): chunks,
-- symbols, embeddings and postings are written in the same transaction as what they belong to.

-- The login installs it where the tables' owner may not: pgvector is no trusted extension.
DO $$
DECLARE
    owner text := current_setting('role');
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') THEN
        PERFORM set_config('role', 'none', true);
        CREATE EXTENSION vector;
        PERFORM set_config('role', owner, true);
    END IF;
END
$$;

CREATE SCHEMA codebase;
GRANT USAGE ON SCHEMA codebase TO :app;

CREATE TABLE codebase.repositories (
    id                        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    repo_path                 text NOT NULL UNIQUE,
    name                      text NOT NULL,
    last_indexed_at           timestamptz,
    total_files               integer NOT NULL DEFAULT 0,
    total_chunks              integer NOT NULL DEFAULT 0,
    indexing_duration_seconds numeric(10, 2),
    indexing_status           text NOT NULL DEFAULT 'pending',
    created_at                timestamptz NOT NULL DEFAULT now(),
    updated_at                timestamptz NOT NULL DEFAULT now(),
    -- Why the last run failed; empty otherwise.
    error                     text NOT NULL DEFAULT '',
    -- Changes whenever a file of it does, so that a cache knows its age.
    generation                bigint NOT NULL DEFAULT 0,
    -- The rules by which its files were read; others read them all again.
    rules                     text NOT NULL DEFAULT '',
    -- Digest of what the walk saw (paths, sizes, times, inodes) when all of it had been stored.
    seen                      bytea,
    -- Files left out, by reason: {"binary": {"count": 2, "examples": ["a.png"]}}.
    omitted                   jsonb NOT NULL DEFAULT '{}',
    by_git                    boolean NOT NULL DEFAULT false,
    truncated                 boolean NOT NULL DEFAULT false,
    -- Who is at work on it, and until when it is to be believed (by the database's clock). Every
    -- write of a run names its epoch, which the next holder of the lease has raised.
    epoch                     bigint NOT NULL DEFAULT 0,
    lease_until               timestamptz,
    holder                    text NOT NULL DEFAULT '',
    cancelled                 boolean NOT NULL DEFAULT false,
    -- How far the present or the last run is.
    stage                     text NOT NULL DEFAULT '',
    run_done                  integer NOT NULL DEFAULT 0,
    run_total                 integer NOT NULL DEFAULT 0,
    run_started_at            timestamptz,
    CONSTRAINT valid_status
        CHECK (indexing_status IN ('pending', 'in_progress', 'completed', 'failed'))
);
-- A project has a handful of repositories, so the source's indexes on repo_path (which would repeat
-- that of the UNIQUE constraint) and indexing_status would never be read.

CREATE TABLE codebase.counters (
    single       boolean PRIMARY KEY DEFAULT true CHECK (single),
    next_content bigint NOT NULL DEFAULT 1,
    next_chunk   bigint NOT NULL DEFAULT 1,
    next_segment integer NOT NULL DEFAULT 1
);
INSERT INTO codebase.counters DEFAULT VALUES;

CREATE TABLE codebase.contents (
    id          bigint PRIMARY KEY,
    -- Of the masked text, its language and the version of the rules that cut it into chunks.
    hash        bytea NOT NULL UNIQUE,
    language    text NOT NULL,
    lines       integer NOT NULL,
    bytes       integer NOT NULL,
    masked      integer NOT NULL,
    first_chunk bigint NOT NULL,
    chunk_count integer NOT NULL,
    -- Why it was cut by lines instead of syntax; empty: by syntax.
    fallback    text NOT NULL,
    -- Names that it uses with their lines: {"call": {"open": [3, 9]}, "name": {…}}. One text instead of
    -- 180 rows for a file of usual size: what has the name's term in its postings is looked up here.
    uses        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE codebase.files (
    repository_id uuid NOT NULL REFERENCES codebase.repositories (id) ON DELETE CASCADE,
    path          text COLLATE "C" NOT NULL,
    -- NULL: the file was left out, by what is in it, for the reason that stands in `omitted`.
    content_id    bigint REFERENCES codebase.contents (id),
    omitted       text NOT NULL DEFAULT '',
    -- What the file system said before the file was read. A time of 0 is no file's: it was written
    -- so shortly before that another write could have the same time, so it is read again.
    size          bigint NOT NULL,
    mtime_ns      bigint NOT NULL,
    inode         bigint NOT NULL,
    path_terms    text[] NOT NULL,
    PRIMARY KEY (repository_id, path),
    CONSTRAINT content_or_reason CHECK ((content_id IS NULL) = (omitted <> ''))
);
CREATE INDEX idx_files_content ON codebase.files (content_id);

CREATE TABLE codebase.chunks (
    id         bigint PRIMARY KEY,
    content_id bigint NOT NULL,
    start_line integer NOT NULL,
    end_line   integer NOT NULL,
    kind       text NOT NULL,
    symbol     text NOT NULL,
    scope      text NOT NULL,
    content    text NOT NULL,
    CONSTRAINT valid_line_numbers CHECK (start_line > 0 AND end_line >= start_line)
);

-- What a content defines; what it uses stands with the content.
CREATE TABLE codebase.symbols (
    content_id bigint NOT NULL,
    name       text COLLATE "C" NOT NULL,
    role       text NOT NULL,
    kind       text NOT NULL,
    scope      text NOT NULL,
    lines      integer[] NOT NULL,
    end_line   integer NOT NULL
);
CREATE INDEX idx_symbols_name ON codebase.symbols (name);
-- Rows arrive in the order of their contents.
CREATE INDEX idx_symbols_content ON codebase.symbols USING brin (content_id);

CREATE TABLE codebase.models (
    id         smallint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    identity   text NOT NULL UNIQUE,
    dimension  integer NOT NULL CHECK (dimension BETWEEN 1 AND 4000),
    -- The HNSW index of this model holds the chunks up to this number; what came later is compared
    -- one by one. So no insertion ever has to find its place in the graph (1 ms each).
    indexed_to bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Vectors of unit length (or zero), apart from the text: a scan of all of them reads a third of the
-- bytes, and another model is added beside the one that still answers.
CREATE TABLE codebase.embeddings (
    chunk_id  bigint NOT NULL,
    model     smallint NOT NULL,
    embedding halfvec NOT NULL,
    PRIMARY KEY (chunk_id, model)
);
ALTER TABLE codebase.embeddings ALTER COLUMN embedding SET STORAGE PLAIN;

-- Chunks first_chunk … first_chunk + chunks - 1, the number of terms in each, and how many of them
-- were there when the segment was written (the others have no terms).
CREATE TABLE codebase.segments (
    id          integer PRIMARY KEY,
    first_chunk bigint NOT NULL,
    chunks      integer NOT NULL,
    live        integer NOT NULL,
    total       bigint NOT NULL,
    lengths     bytea NOT NULL
);

CREATE TABLE codebase.postings (
    term       text COLLATE "C" NOT NULL,
    segment_id integer NOT NULL,
    postings   bytea NOT NULL,
    PRIMARY KEY (term, segment_id)
);
CREATE INDEX idx_postings_segment ON codebase.postings USING brin (segment_id);

-- Every chunk at every place where it stands: the source's table of this name, as a view. The lines
-- around a chunk are those of its neighbours.
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

GRANT SELECT, INSERT, UPDATE, DELETE ON codebase.repositories, codebase.files, codebase.models
    TO :app;
GRANT SELECT, UPDATE ON codebase.counters TO :app;
GRANT SELECT, INSERT, DELETE ON codebase.contents, codebase.chunks, codebase.symbols,
    codebase.embeddings, codebase.segments, codebase.postings TO :app;
GRANT SELECT ON codebase.code_chunks TO :app;
