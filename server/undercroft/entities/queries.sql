-- get_type --
-- A type as it is now.
SELECT schema_name, schema_definition::text AS definition, version, description,
       created_at, updated_at, created_by, updated_by
FROM workflow.entity_schemas
WHERE schema_name = $1;

-- get_type_version --
-- One definition that a type has or had.
SELECT schema_name, schema_definition::text AS definition, version, description,
       created_at, created_by
FROM workflow.entity_schema_versions
WHERE schema_name = $1 AND version = $2;

-- list_types --
-- All types by name, each with its number of live records.
SELECT s.schema_name, s.version, s.description, s.updated_at,
       (SELECT count(*) FROM workflow.entities AS e
        WHERE e.schema_name = s.schema_name AND e.deleted_at IS NULL) AS records
FROM workflow.entity_schemas AS s
ORDER BY s.schema_name;

-- list_type_names --
-- All names, for a hint.
SELECT schema_name FROM workflow.entity_schemas ORDER BY schema_name;

-- lock_type --
-- A type, so that no record is written against it until this transaction ends.
SELECT version, schema_definition::text AS definition, description
FROM workflow.entity_schemas
WHERE schema_name = $1
FOR UPDATE;

-- insert_type --
-- A new type; nothing when another session was faster.
INSERT INTO workflow.entity_schemas
    (schema_name, schema_definition, description, created_by, updated_by)
VALUES ($1, $2::jsonb, $3, $4, $4)
ON CONFLICT (schema_name) DO NOTHING
RETURNING version;

-- replace_type --
-- The next version of a type that this transaction has locked.
UPDATE workflow.entity_schemas
SET schema_definition = $2::jsonb, description = $3, version = version + 1,
    updated_by = $4, updated_at = clock_timestamp()
WHERE schema_name = $1
RETURNING version;

-- insert_type_version --
-- Keep a definition for good.
INSERT INTO workflow.entity_schema_versions
    (schema_name, version, schema_definition, description, created_by)
SELECT schema_name, version, schema_definition, description, updated_by
FROM workflow.entity_schemas
WHERE schema_name = $1;

-- match_types --
-- Which of these definitions need no installing: once installed, or replaced by somebody else.
SELECT wanted.name
FROM unnest($1::text[], $2::text[]::jsonb[]) AS wanted (name, definition)
WHERE EXISTS (SELECT FROM workflow.entity_schema_versions AS v
              WHERE v.schema_name = wanted.name AND v.schema_definition = wanted.definition)
   OR EXISTS (SELECT FROM workflow.entity_schemas AS s
              WHERE s.schema_name = wanted.name AND s.updated_by <> $3);

-- list_definitions --
-- Every type with its definition.
SELECT schema_name, schema_definition::text AS definition FROM workflow.entity_schemas;

-- scan_records --
-- Live records of a type from a position on, at most about two megabytes at once.
SELECT id, version, created_at, body
FROM (
    SELECT id, version, created_at, body,
           sum(length(body)) OVER (ORDER BY created_at, id ROWS UNBOUNDED PRECEDING)
               - length(body) AS before
    FROM (
        SELECT id, version, created_at, data::text AS body
        FROM workflow.entities
        WHERE schema_name = $1 AND deleted_at IS NULL
          AND (created_at, id) > ($2::timestamptz, $3::uuid)
        ORDER BY created_at, id
        LIMIT 500
    ) AS page
) AS sized
WHERE before < 2000000
ORDER BY created_at, id;

-- migrate_records --
-- New data for records whose type this transaction has locked.
UPDATE workflow.entities AS e
SET data = changed.data, version = e.version + 1, schema_version = $4,
    updated_by = $5, updated_at = clock_timestamp()
FROM unnest($1::uuid[], $2::integer[], $3::text[]::jsonb[]) AS changed (id, version, data)
WHERE e.id = changed.id AND e.version = changed.version AND e.deleted_at IS NULL
RETURNING e.id;

-- insert_entity --
-- A new record, if its type still has the version that the data was checked against.
INSERT INTO workflow.entities (schema_name, schema_version, data, created_by, updated_by)
SELECT s.schema_name, s.version, $3::jsonb, $4, $4
FROM workflow.entity_schemas AS s
WHERE s.schema_name = $1 AND s.version = $2
FOR KEY SHARE OF s
RETURNING id, version, created_at, updated_at;

-- insert_entities --
-- New records in the order given, all checked against one version of their type.
WITH type AS (
    SELECT schema_name, version FROM workflow.entity_schemas
    WHERE schema_name = $1 AND version = $2
    FOR KEY SHARE
), record AS MATERIALIZED (
    SELECT gen_random_uuid() AS id, body, place
    FROM unnest($3::text[]::jsonb[]) WITH ORDINALITY AS given (body, place)
), stored AS (
    INSERT INTO workflow.entities (id, schema_name, schema_version, data, created_by, updated_by)
    SELECT record.id, type.schema_name, type.version, record.body, $4, $4
    FROM record CROSS JOIN type
    ORDER BY record.place
    RETURNING id, version, created_at, updated_at
)
SELECT stored.id, stored.version, stored.created_at, stored.updated_at
FROM stored JOIN record USING (id)
ORDER BY record.place;

-- get_entity --
-- A record, deleted or not.
SELECT id, schema_name, version, data::text AS data, created_at, updated_at,
       created_by, updated_by, deleted_at
FROM workflow.entities
WHERE id = $1;

-- lock_entities --
-- Records, in one order for everybody so that two batches cannot wait for each other.
SELECT id, schema_name, version, data::text AS data, created_at, updated_at,
       created_by, updated_by, deleted_at
FROM workflow.entities
WHERE id = ANY($1::uuid[])
ORDER BY id
FOR NO KEY UPDATE;

-- update_entity --
-- New data for the version that the caller knows, if the type is still the one it was checked by.
WITH type AS (
    SELECT schema_name, version FROM workflow.entity_schemas
    WHERE schema_name = $3 AND version = $4
    FOR KEY SHARE
)
UPDATE workflow.entities AS e
SET data = $5::jsonb, schema_version = type.version, version = e.version + 1,
    updated_by = $6, updated_at = clock_timestamp()
FROM type
WHERE e.id = $1 AND e.version = $2 AND e.schema_name = type.schema_name AND e.deleted_at IS NULL
  AND ($7::timestamptz IS NULL OR e.updated_at = $7)
RETURNING e.version, e.created_at, e.updated_at;

-- update_entities --
-- New data for records that this transaction has locked, all checked against current types.
WITH type AS (
    SELECT s.schema_name, s.version
    FROM workflow.entity_schemas AS s
    JOIN unnest($4::text[], $5::integer[]) AS checked (name, version)
        ON s.schema_name = checked.name AND s.version = checked.version
    FOR KEY SHARE OF s
)
UPDATE workflow.entities AS e
SET data = changed.data, schema_version = type.version, version = e.version + 1,
    updated_by = $6, updated_at = clock_timestamp()
FROM unnest($1::uuid[], $2::integer[], $3::text[]::jsonb[]) AS changed (id, version, data), type
WHERE e.id = changed.id AND e.version = changed.version AND e.deleted_at IS NULL
  AND e.schema_name = type.schema_name
RETURNING e.id, e.version, e.created_at, e.updated_at;

-- delete_entity --
-- Mark the version that the caller knows as deleted.
UPDATE workflow.entities
SET deleted_at = clock_timestamp(), version = version + 1,
    updated_by = $3, updated_at = clock_timestamp()
WHERE id = $1 AND version = $2 AND deleted_at IS NULL
RETURNING schema_name, version, created_at, updated_at;

-- set_entity --
-- Data and life of the version that the caller knows: restoring, and undoing.
WITH type AS (
    SELECT schema_name, version FROM workflow.entity_schemas
    WHERE schema_name = $3 AND ($4::integer IS NULL OR version = $4)
    FOR KEY SHARE
)
UPDATE workflow.entities AS e
SET data = $5::jsonb, schema_version = coalesce($4, e.schema_version), version = e.version + 1,
    deleted_at = CASE WHEN $6::boolean THEN coalesce(e.deleted_at, clock_timestamp()) END,
    updated_by = $7, updated_at = clock_timestamp()
FROM type
WHERE e.id = $1 AND e.version = $2 AND e.schema_name = type.schema_name
  AND set_config('undercroft.undo',
      CASE WHEN $8::boolean THEN e.id || ':' || e.version + 1 ELSE '' END, true) IS NOT NULL
RETURNING e.version, e.created_at, e.updated_at;

-- get_version --
-- A record as it was in one version.
SELECT version, operation, deleted, data::text AS data, schema_name
FROM workflow.entity_history
WHERE entity_id = $1 AND version = $2;

-- list_history --
-- Versions from the newest down, each with the one before, at most about a megabyte at once.
SELECT version, operation, deleted, changed_by, changed_at, schema_version, data, previous
FROM (
    SELECT *, sum(size) OVER (ORDER BY version DESC ROWS UNBOUNDED PRECEDING) - size AS before
    FROM (
        SELECT h.version, h.operation, h.deleted, h.changed_by, h.changed_at, h.schema_version,
               h.data::text AS data, p.data::text AS previous,
               length(h.data::text) + coalesce(length(p.data::text), 0) AS size
        FROM workflow.entity_history AS h
        LEFT JOIN workflow.entity_history AS p
            ON p.entity_id = h.entity_id AND p.version = h.version - 1
        WHERE h.entity_id = $1 AND h.version < $2
        ORDER BY h.version DESC
        LIMIT $3
    ) AS page
) AS sized
WHERE before < 1000000
ORDER BY version DESC;

-- list_recent_changes --
-- The latest changes of any record, newest first.
SELECT entity_id, schema_name, version, operation, changed_by, changed_at
FROM workflow.entity_history
ORDER BY changed_at DESC
LIMIT $1;

-- list_indexes --
-- The indexes made for types, with their state; `building` while some session is at work on one.
SELECT c.relname AS name, i.indisvalid AND i.indisready AS ready,
       EXISTS (SELECT FROM pg_stat_progress_create_index AS p
               WHERE p.index_relid = c.oid AND p.datname = current_database()) AS building
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indrelid = 'workflow.entities'::regclass AND c.relname LIKE 'entity\_x\_%';

-- get_owner --
-- The role that owns the records, quoted for use in a statement.
SELECT quote_ident(pg_get_userbyid(relowner)) AS owner
FROM pg_class
WHERE oid = 'workflow.entities'::regclass;

-- try_index_turn --
-- Whether this session may look after the indexes; one at a time, or they would wait for each other.
SELECT pg_try_advisory_lock(hashtext('undercroft.entity_indexes')) AS mine;

-- end_index_turn --
-- Let the next one look after the indexes.
SELECT pg_advisory_unlock(hashtext('undercroft.entity_indexes'));
