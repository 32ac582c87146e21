-- insert_project --
-- Announce a project; no row when the name is taken. Its database follows.
INSERT INTO public.projects (name, database_name, description, root_path, settings, created_by)
VALUES ($1, 'project_' || $1, $2, nullif($3, ''), $4::jsonb, $5)
ON CONFLICT (name) DO NOTHING
RETURNING name;

-- get_project --
-- The project of that name.
SELECT name, database_name, state, description, root_path, settings::text AS settings,
       created_at, updated_at, created_by
FROM public.projects
WHERE name = $1;

-- get_settings --
-- The settings of the project that has a database.
SELECT settings::text FROM public.projects WHERE database_name = $1;

-- list_projects --
-- Projects in a state (empty: all but archived ones) after a name, in order of names.
SELECT name, database_name, state, description, root_path, settings::text AS settings,
       created_at, updated_at, created_by
FROM public.projects
WHERE name > $1 AND (state = $2 OR ($2 = '' AND state IN ('creating', 'ready')))
ORDER BY name
LIMIT $3;

-- list_names --
-- Names that begin so, for completion and for "did you mean".
SELECT name FROM public.projects
WHERE starts_with(name, $1) AND state IN ('creating', 'ready')
ORDER BY name
LIMIT 100;

-- find_by_folder --
-- The projects whose root is that folder or contains it, deepest root first.
SELECT name, root_path
FROM public.projects
WHERE state IN ('creating', 'ready')
  AND (root_path = $1 OR starts_with($1, rtrim(root_path, '/') || '/'))
ORDER BY length(root_path) DESC, name;

-- update_project --
-- Change what is given (NULL: leave as it is).
UPDATE public.projects
SET description = coalesce($2, description),
    root_path = CASE WHEN $3::text IS NULL THEN root_path ELSE nullif($3, '') END,
    settings = coalesce($4::jsonb, settings)
WHERE name = $1 AND state IN ('creating', 'ready')
RETURNING name;

-- change_state --
-- Move a project from one state to another; no row when it is in a third.
UPDATE public.projects SET state = $3
WHERE name = $1 AND state = ANY ($2::text[])
RETURNING name;

-- delete_project --
-- Forget a project whose database is gone.
DELETE FROM public.projects WHERE name = $1 AND state = 'dropping';

-- withdraw_project --
-- Take back the announcement of a project that cannot have its database.
DELETE FROM public.projects WHERE name = $1 AND state = 'creating';

-- lock_project --
-- True for the one session that may work on a project's database now; ends with the transaction.
SELECT pg_try_advisory_xact_lock(hashtextextended('undercroft.project.' || $1, 0));

-- describe_database --
-- What PostgreSQL knows of a project's database and its owner role.
SELECT (SELECT datconnlimit = -2 FROM pg_database WHERE datname = $1) AS invalid,
       (SELECT datallowconn FROM pg_database WHERE datname = $1) AS allows_connections,
       (SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1) AS mark,
       EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS has_owner_role,
       EXISTS (SELECT FROM pg_database WHERE datname = $2) AS has_template;

-- end_sessions --
-- Cut every other session of a database.
SELECT count(pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE datname = $1 AND pid <> pg_backend_pid() AND usename = current_user;

-- list_unsettled --
-- Projects whose state and database do not agree: what a crash may leave behind.
SELECT p.name, p.state, d.datname IS NOT NULL AS has_database
FROM public.projects p
LEFT JOIN pg_database d ON d.datname = p.database_name
WHERE p.state IN ('creating', 'dropping')
   OR (p.state = 'archived' AND d.datallowconn)
   OR (p.state = 'ready' AND (d.datname IS NULL OR NOT d.datallowconn OR d.datconnlimit = -2))
ORDER BY p.name;
