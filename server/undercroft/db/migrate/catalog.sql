-- What a schema consists of, as (kind, name, definition) rows. Read inside one transaction with an
-- empty search path, so that every definition spells its schemas out. What belongs to an extension,
-- to PostgreSQL or to a session's temporary schema is left out.

-- list_schemas --
-- Schemas with owner.
SELECT 'schema' AS kind, space.nspname::text AS name,
       jsonb_build_object('owner', pg_get_userbyid(space.nspowner),
                          'grants', space.nspacl::text[])::text AS definition
FROM pg_namespace AS space
WHERE space.nspname !~ '^pg_' AND space.nspname NOT IN ('information_schema', 'public')
  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_namespace'::regclass
                  AND d.objid = space.oid AND d.deptype = 'e');

-- list_relations --
-- Tables, views, materialized views and sequences with owner, options and grants.
SELECT CASE WHEN rel.relkind IN ('v', 'm') THEN 'view' WHEN rel.relkind = 'S' THEN 'sequence'
            ELSE 'table' END AS kind,
       space.nspname || '.' || rel.relname AS name,
       jsonb_build_object(
           'kind', rel.relkind, 'owner', pg_get_userbyid(rel.relowner), 'options', rel.reloptions,
           'persistence', rel.relpersistence, 'row_security', rel.relrowsecurity,
           'forced_row_security', rel.relforcerowsecurity,
           'partition_key', pg_get_partkeydef(rel.oid),
           'partition_bound', pg_get_expr(rel.relpartbound, rel.oid),
           'grants', (SELECT array_agg(item::text ORDER BY item::text) FROM unnest(rel.relacl) AS item),
           'query', CASE WHEN rel.relkind IN ('v', 'm') THEN pg_get_viewdef(rel.oid) END,
           'sequence', (SELECT to_jsonb(s) - 'seqrelid' - 'seqtypid' FROM pg_sequence AS s
                        WHERE s.seqrelid = rel.oid)
       )::text AS definition
FROM pg_class AS rel
JOIN pg_namespace AS space ON space.oid = rel.relnamespace
WHERE rel.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
  AND space.nspname !~ '^pg_' AND space.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
                  AND d.objid = rel.oid AND d.deptype = 'e');

-- list_columns --
-- Columns of tables and views; their order is left out, for it depends on history.
SELECT 'column' AS kind, space.nspname || '.' || rel.relname || '.' || col.attname AS name,
       jsonb_build_object(
           'type', format_type(col.atttypid, col.atttypmod), 'not_null', col.attnotnull,
           'default', pg_get_expr(value.adbin, value.adrelid), 'identity', col.attidentity,
           'generated', col.attgenerated, 'collation', col.attcollation::regcollation::text,
           'grants', col.attacl::text[]
       )::text AS definition
FROM pg_attribute AS col
JOIN pg_class AS rel ON rel.oid = col.attrelid
JOIN pg_namespace AS space ON space.oid = rel.relnamespace
LEFT JOIN pg_attrdef AS value ON value.adrelid = col.attrelid AND value.adnum = col.attnum
WHERE col.attnum > 0 AND NOT col.attisdropped AND rel.relkind IN ('r', 'p', 'f', 'v', 'm')
  AND space.nspname !~ '^pg_' AND space.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
                  AND d.objid = rel.oid AND d.deptype = 'e');

-- list_indexes --
-- Indexes but for those that features build at run time (by the beginnings of their names).
SELECT 'index' AS kind, space.nspname || '.' || named.relname AS name,
       jsonb_build_object('definition', pg_get_indexdef(named.oid), 'valid', i.indisvalid,
                          'options', named.reloptions)::text AS definition
FROM pg_index AS i
JOIN pg_class AS named ON named.oid = i.indexrelid
JOIN pg_namespace AS space ON space.oid = named.relnamespace
WHERE space.nspname !~ '^pg_' AND space.nspname <> 'information_schema'
  AND NOT starts_with(named.relname, 'entity_x_')
  AND NOT starts_with(named.relname, 'embeddings_x_')
  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
                  AND d.objid IN (named.oid, i.indrelid) AND d.deptype = 'e');

-- list_constraints --
-- Constraints of tables and domains; NOT NULL stands with its column.
SELECT 'constraint' AS kind,
       space.nspname || '.' || coalesce(rel.relname, domain.typname) || '.' || con.conname AS name,
       jsonb_build_object('definition', pg_get_constraintdef(con.oid),
                          'validated', con.convalidated)::text AS definition
FROM pg_constraint AS con
JOIN pg_namespace AS space ON space.oid = con.connamespace
LEFT JOIN pg_class AS rel ON rel.oid = con.conrelid
LEFT JOIN pg_type AS domain ON domain.oid = con.contypid
WHERE con.contype NOT IN ('n', 't')
  AND space.nspname !~ '^pg_' AND space.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.deptype = 'e'
                  AND d.objid IN (con.oid, con.conrelid, con.contypid));

-- list_functions --
-- Functions and procedures with body, owner and grants.
SELECT 'function' AS kind,
       space.nspname || '.' || proc.proname || '(' || pg_get_function_identity_arguments(proc.oid)
           || ')' AS name,
       jsonb_build_object(
           'definition', CASE WHEN proc.prokind <> 'a' THEN pg_get_functiondef(proc.oid) END,
           'owner', pg_get_userbyid(proc.proowner),
           'grants', (SELECT array_agg(item::text ORDER BY item::text) FROM unnest(proc.proacl) AS item)
       )::text AS definition
FROM pg_proc AS proc
JOIN pg_namespace AS space ON space.oid = proc.pronamespace
WHERE space.nspname !~ '^pg_' AND space.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass
                  AND d.objid = proc.oid AND d.deptype = 'e');

-- list_triggers --
-- Triggers, and whether they fire.
SELECT 'trigger' AS kind, space.nspname || '.' || rel.relname || '.' || hook.tgname AS name,
       jsonb_build_object('definition', pg_get_triggerdef(hook.oid),
                          'enabled', hook.tgenabled)::text AS definition
FROM pg_trigger AS hook
JOIN pg_class AS rel ON rel.oid = hook.tgrelid
JOIN pg_namespace AS space ON space.oid = rel.relnamespace
WHERE NOT hook.tgisinternal AND space.nspname !~ '^pg_';

-- list_policies --
-- Row security policies.
SELECT 'policy' AS kind, schemaname || '.' || tablename || '.' || policyname AS name,
       jsonb_build_object('permissive', permissive, 'roles', roles::text[], 'command', cmd,
                          'using', qual, 'check', with_check)::text AS definition
FROM pg_policies;

-- list_types --
-- Enums and domains.
SELECT 'type' AS kind, space.nspname || '.' || type.typname AS name,
       jsonb_build_object(
           'kind', type.typtype, 'owner', pg_get_userbyid(type.typowner),
           'base', CASE WHEN type.typtype = 'd' THEN format_type(type.typbasetype, type.typtypmod) END,
           'not_null', type.typnotnull, 'default', type.typdefault,
           'labels', (SELECT array_agg(label.enumlabel::text ORDER BY label.enumsortorder)
                      FROM pg_enum AS label WHERE label.enumtypid = type.oid)
       )::text AS definition
FROM pg_type AS type
JOIN pg_namespace AS space ON space.oid = type.typnamespace
WHERE type.typtype IN ('e', 'd') AND space.nspname !~ '^pg_'
  AND space.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_type'::regclass
                  AND d.objid = type.oid AND d.deptype = 'e');

-- list_extensions --
-- Extensions with their version.
SELECT 'extension' AS kind, extname::text AS name,
       jsonb_build_object('version', extversion)::text AS definition
FROM pg_extension;
