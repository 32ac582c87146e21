-- describe_login --
-- Who we are on this server, and what we may do there.
SELECT current_user::text AS login,
       rolsuper AS superuser,
       rolsuper OR rolcreaterole AS may_create_roles,
       rolsuper OR rolcreatedb AS may_create_databases,
       current_setting('server_version_num')::int AS version,
       EXISTS (SELECT FROM pg_roles owner WHERE owner.rolname = login.rolname || '_owner') AS has_owner
FROM pg_roles login
WHERE login.rolname = current_user;

-- lock_grants --
-- Servers that start together grant one after the other: two at once would fail on the same row.
SELECT pg_advisory_xact_lock(hashtextextended('undercroft.grants', 0));

-- has_database --
-- Whether there is a database of that name.
SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1);
