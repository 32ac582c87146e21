-- get_vector --
-- The version of pgvector in this database, and the one that the server could install.
SELECT (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS installed,
       (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS available;

-- create_vector --
-- Install pgvector; another session may do it in the same moment.
CREATE EXTENSION IF NOT EXISTS vector;
