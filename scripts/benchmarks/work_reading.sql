-- Fills a project with work, far faster than through the tools; for benchmarks only.

-- get_owner --
-- The role that owns the items, quoted for use in a statement.
SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class
WHERE oid = 'workflow.work_items'::regclass;

-- pause_items --
-- Loading writes no history and counts nothing.
ALTER TABLE workflow.work_items DISABLE TRIGGER USER;

-- pause_links --
-- As above.
ALTER TABLE workflow.work_links DISABLE TRIGGER USER;

-- load_items --
-- Items with the numbers after $1 up to $2: of each 500 one epic, ten issues beneath it, and tasks
-- beneath these; a third is completed.
INSERT INTO workflow.work_items (id, parent_id, order_key, kind, title, status, category, priority,
    labels, due_at, created_at, closed_at)
SELECT 'w-' || lpad(to_hex(n), 10, '0'),
       CASE WHEN n % 500 = 0 THEN NULL
            WHEN n % 50 = 0 THEN 'w-' || lpad(to_hex(n - n % 500), 10, '0')
            ELSE 'w-' || lpad(to_hex(n - n % 50), 10, '0') END,
       n, CASE WHEN n % 500 = 0 THEN 'epic' WHEN n % 50 = 0 THEN 'issue' ELSE 'task' END,
       'Item ' || n || ': ' || md5(n::text),
       CASE WHEN n % 50 > 0 AND n % 3 = 0 THEN 'completed' ELSE 'pending' END,
       CASE WHEN n % 50 > 0 AND n % 3 = 0 THEN 'done' ELSE 'todo' END,
       n * 7919 % 5, ARRAY['label ' || n % 20],
       CASE WHEN n % 4 = 0 THEN timestamptz '2026-01-01' + n * 7919 % 525600 * interval '1 minute' END,
       timestamptz '2026-01-01' + n * interval '1 second',
       CASE WHEN n % 50 > 0 AND n % 3 = 0 THEN timestamptz '2026-01-02' END
FROM generate_series($1::bigint, $2::bigint - 1) AS n
ORDER BY n;

-- load_links --
-- Two dependencies for each of those items, between tasks, from a lower to a higher number.
INSERT INTO workflow.work_links (source_id, type, target_id)
SELECT 'w-' || lpad(to_hex(least(a.n, b.n)), 10, '0'), 'blocks',
       'w-' || lpad(to_hex(greatest(a.n, b.n)), 10, '0')
FROM generate_series($1::bigint, $2::bigint - 1) AS a (n)
CROSS JOIN LATERAL (
    SELECT $1 + (a.n * 7919 * k + 104729 * k * k) % ($2 - $1) AS n FROM generate_series(1, 3) AS k
) AS b
WHERE a.n % 50 > 0 AND b.n % 50 > 0 AND a.n <> b.n
ON CONFLICT DO NOTHING;

-- drop_links --
-- All but as many dependencies as are wanted.
DELETE FROM workflow.work_links WHERE id IN (
    SELECT id FROM workflow.work_links ORDER BY id OFFSET $1);

-- count_blockers --
-- What the triggers would have counted.
UPDATE workflow.work_items AS i SET open_blockers = c.open
FROM (SELECT l.target_id, count(*) FILTER (WHERE s.is_open) AS open
      FROM workflow.work_links AS l JOIN workflow.work_items AS s ON s.id = l.source_id
      GROUP BY l.target_id) AS c
WHERE i.id = c.target_id AND c.open > 0;

-- resume_items --
-- From here on as ever.
ALTER TABLE workflow.work_items ENABLE TRIGGER USER;

-- resume_links --
-- As above.
ALTER TABLE workflow.work_links ENABLE TRIGGER USER;

-- tidy --
-- What autovacuum would do in a while.
VACUUM (ANALYZE) workflow.work_items, workflow.work_links;

-- count --
-- How many items and links there are, and how many items wait.
SELECT (SELECT count(*) FROM workflow.work_items) AS items,
       (SELECT count(*) FROM workflow.work_links) AS links,
       (SELECT count(*) FROM workflow.work_items WHERE open_blockers > 0) AS waiting;
