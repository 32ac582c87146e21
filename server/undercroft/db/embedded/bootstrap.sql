-- What every cluster has before its first start, run in template1 by `postgres --single -j`:
-- a statement ends with a semicolon and an empty line, and running it all again is harmless.

-- The one role that the server logs in as. It is no superuser: what an agent makes it run
-- can neither read files nor start programs.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'undercroft') THEN
        CREATE ROLE undercroft;
    END IF;
END
$$;

ALTER ROLE undercroft LOGIN NOSUPERUSER CREATEDB CREATEROLE NOREPLICATION NOBYPASSRLS;

-- The client gets its errors anyway; in the log they would only leave values behind.
ALTER ROLE undercroft SET log_min_messages = 'fatal';

CREATE EXTENSION IF NOT EXISTS vector;

CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE EXTENSION IF NOT EXISTS btree_gin;

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE EXTENSION IF NOT EXISTS citext;

CREATE EXTENSION IF NOT EXISTS unaccent;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements') THEN
        CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
    END IF;
END
$$;

