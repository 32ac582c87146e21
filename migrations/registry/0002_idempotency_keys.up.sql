-- Writes that were done under a key, with their results: what makes a retry safe.

CREATE TABLE undercroft.idempotency_keys (
    key              text        PRIMARY KEY,
    tool             text        NOT NULL,
    arguments_digest bytea       NOT NULL,
    result           jsonb,
    created_by       text        NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX idx_idempotency_keys_created_at ON undercroft.idempotency_keys (created_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON undercroft.idempotency_keys TO :app;
