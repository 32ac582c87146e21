-- The list of projects: the single source of truth for which project databases exist.

CREATE TABLE public.projects (
    id            uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    name          text        NOT NULL,
    database_name text        NOT NULL,
    description   text        NOT NULL DEFAULT '',
    root_path     text,
    settings      jsonb       NOT NULL DEFAULT '{}',
    state         text        NOT NULL DEFAULT 'creating',
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    created_by    text        NOT NULL DEFAULT 'claude-code',
    -- PostgreSQL cuts names at 63 bytes in silence: two long names would share one database.
    CONSTRAINT valid_name CHECK (name ~ '^[a-z0-9_]{1,48}$'),
    CONSTRAINT valid_db_name CHECK (database_name ~ '^project_[a-z0-9_]{1,48}$'),
    CONSTRAINT valid_state CHECK (state IN ('creating', 'ready', 'archived', 'dropping')),
    CONSTRAINT valid_settings CHECK (jsonb_typeof(settings) = 'object')
);

CREATE UNIQUE INDEX idx_projects_name ON public.projects (name);
CREATE UNIQUE INDEX idx_projects_database_name ON public.projects (database_name);
CREATE INDEX idx_projects_root_path ON public.projects (root_path) WHERE root_path IS NOT NULL;

CREATE FUNCTION public.update_updated_at_column() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = clock_timestamp();
    RETURN NEW;
END;
$$;

CREATE TRIGGER update_projects_updated_at
    BEFORE UPDATE ON public.projects
    FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.projects TO :app;
