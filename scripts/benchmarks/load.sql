-- Fills a project with tasks, far faster than through the tools; for benchmarks only.

-- get_owner --
-- The role that owns the records, quoted for use in a statement.
SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class
WHERE oid = 'workflow.entities'::regclass;

-- pause_history --
-- Loading writes no history.
ALTER TABLE workflow.entities DISABLE TRIGGER record_history;

-- list_indexes --
-- Every index but the primary key, to be made anew after loading.
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
FROM pg_index
WHERE indrelid = 'workflow.entities'::regclass AND NOT indisprimary;

-- load_tasks --
-- Tasks with the numbers after $1 up to $2.
INSERT INTO workflow.entities (schema_name, schema_version, data, created_by, updated_by)
SELECT 'task', s.version,
       jsonb_build_object(
           'title', 'Task ' || n,
           'status', (ARRAY['pending', 'in_progress', 'completed', 'blocked'])[1 + n * 7 % 4],
           'priority', (ARRAY['low', 'medium', 'high', 'critical'])[1 + n * 3 % 4],
           'assignee', 'agent ' || n * 13 % 50,
           'description', 'What task ' || n || ' is about: ' || md5(n::text),
           'tags', jsonb_build_array('tag ' || n % 20, 'tag ' || n % 7),
           'due_date', to_char(timestamp '2026-01-01' + n * 7919 % 525600 * interval '1 minute',
                               'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
       'bench', 'bench'
FROM generate_series($1::bigint + 1, $2::bigint) AS n,
     (SELECT version FROM workflow.entity_schemas WHERE schema_name = 'task') AS s;

-- resume_history --
-- From here on as ever.
ALTER TABLE workflow.entities ENABLE TRIGGER record_history;

-- tidy --
-- What autovacuum would do in a while.
VACUUM (ANALYZE) workflow.entities;
