-- describe_server --
-- What this server offers: version, extensions, our rights, room for connections.
SELECT current_setting('server_version') AS version,
       current_setting('server_version_num')::int AS number,
       current_setting('max_connections')::int AS max_connections,
       current_setting('fsync') AS fsync,
       current_setting('full_page_writes') AS full_page_writes,
       current_setting('synchronous_commit') AS synchronous_commit,
       (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS vector,
       rolsuper OR (SELECT coalesce(bool_or(trusted), false) FROM pg_available_extension_versions
                    WHERE name = 'vector') AS may_create_vector,
       rolsuper AS superuser,
       rolsuper OR rolcreaterole AS may_create_roles,
       rolsuper OR rolcreatedb AS may_create_databases,
       rolname::text AS login,
       pg_is_in_recovery() AS standby
FROM pg_roles
WHERE rolname = current_user;

-- has_vector --
-- Whether this database has pgvector; asked of template1, of which every new database is a copy.
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector');
