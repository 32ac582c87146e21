-- Which keys wrap the data keys of projects' secrets: their names only. The keys themselves are with
-- a provider (the system's keyring, a file, the environment, a command) and never in a database.

CREATE TABLE public.key_encryption_keys (
    -- Made from the key, so that nobody takes one key for another; tells nothing about it.
    id         text        PRIMARY KEY,
    provider   text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text        NOT NULL DEFAULT 'undercroft',
    -- From then on it only unwraps what it has wrapped before.
    retired_at timestamptz,
    CONSTRAINT valid_key_encryption_key CHECK (id ~ '^[0-9a-f]{32}$'),
    CONSTRAINT valid_key_provider CHECK (provider IN ('keyring', 'file', 'environment', 'command'))
);
-- At most one wraps.
CREATE UNIQUE INDEX idx_key_encryption_keys_active ON public.key_encryption_keys ((true))
    WHERE retired_at IS NULL;

GRANT SELECT, INSERT, UPDATE ON public.key_encryption_keys TO :app;
