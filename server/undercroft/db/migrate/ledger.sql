-- The ledger: which migrations of which line this database has. The migrator makes it itself, because
-- it must exist before the first migration. Its primary key is what keeps two runners apart.
CREATE SCHEMA IF NOT EXISTS undercroft;

CREATE TABLE IF NOT EXISTS undercroft.migration_history (
    line            text        NOT NULL,
    version         integer     NOT NULL CHECK (version > 0),
    name            text        NOT NULL,
    checksum        text        NOT NULL,
    state           text        NOT NULL CHECK (state IN ('running', 'reverting', 'applied', 'skipped')),
    statements_done integer     NOT NULL DEFAULT 0,
    runner          uuid        NOT NULL,
    applied_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_by      text        NOT NULL DEFAULT session_user,
    duration_ms     bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (line, version)
);

GRANT USAGE ON SCHEMA undercroft TO :app;

GRANT SELECT ON undercroft.migration_history TO :app;
