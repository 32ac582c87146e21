-- list_ready --
-- What can be started now, what was begun and is no longer held first, the best first.
WITH lost AS (
    SELECT i.* FROM workflow.work_items AS i
    WHERE i.category = 'doing' AND i.claim_holder IS NOT NULL AND i.deleted_at IS NULL
      AND i.claim_until <= statement_timestamp() AND i.open_blockers = 0
      AND (cardinality($1::text[]) = 0 OR i.kind = ANY ($1)) AND i.labels @> $2::text[]
      AND ($3 = '' OR i.assignee IS NULL OR i.assignee = $3)
      AND ($4::text[] IS NULL OR i.id IN (SELECT unnest($4)))
    ORDER BY i.priority, i.due_at, i.created_at, i.id LIMIT $5
), todo AS (
    SELECT i.* FROM workflow.work_items AS i
    WHERE i.category = 'todo' AND i.open_blockers = 0 AND i.deleted_at IS NULL
      AND NOT EXISTS (SELECT FROM workflow.work_items AS c WHERE c.parent_id = i.id AND c.is_open)
      AND (cardinality($1::text[]) = 0 OR i.kind = ANY ($1)) AND i.labels @> $2::text[]
      AND ($3 = '' OR i.assignee IS NULL OR i.assignee = $3)
      AND ($4::text[] IS NULL OR i.id IN (SELECT unnest($4)))
    ORDER BY i.priority, i.due_at, i.created_at, i.id LIMIT $5
), chosen AS (
    SELECT 0 AS turn, lost.* FROM lost
    UNION ALL
    SELECT 1, todo.* FROM todo
    ORDER BY turn, priority, due_at, created_at, id LIMIT $5
)
SELECT c.id, c.kind, c.title, c.priority, c.labels, c.assignee, c.due_at, c.version, c.parent_id,
       c.claim_holder AS lost_by, extract(epoch FROM c.due_at - clock_timestamp())::float8 AS due_in,
       (SELECT count(*) FROM workflow.work_links AS l JOIN workflow.work_items AS t ON t.id = l.target_id
        WHERE l.source_id = c.id AND l.type = 'blocks' AND l.removed_at IS NULL AND t.is_open)::int
           AS unblocks,
       (SELECT count(*) FROM workflow.work_items AS k
        WHERE k.place = c.id AND k.deleted_at IS NULL)::int AS children
FROM chosen AS c
ORDER BY c.turn, c.priority, c.due_at, c.created_at, c.id;

-- list_blocked --
-- Open items that wait, and for what: their own open blockers, or a parent that waits.
SELECT i.id, i.kind, i.title, i.priority, i.created_at,
       ARRAY(SELECT s.kind || ':' || s.id || ' ' || s.title FROM workflow.work_links AS l
             JOIN workflow.work_items AS s ON s.id = l.source_id
             WHERE l.target_id = i.id AND l.type = 'blocks' AND l.removed_at IS NULL AND s.is_open
             ORDER BY s.priority, s.id LIMIT 10) AS blocked_by,
       (SELECT p.kind || ':' || p.id FROM workflow.work_items AS p
        WHERE p.id = i.parent_id AND p.open_blockers > 0) AS waits_with
FROM workflow.work_items AS i
WHERE i.is_open AND i.open_blockers > 0
  AND ($1::smallint IS NULL OR (i.priority, i.created_at, i.id) > ($1, $2::timestamptz, $3::text))
ORDER BY i.priority, i.created_at, i.id
LIMIT $4;

-- list_beneath --
-- An item and all beneath it.
WITH RECURSIVE tree AS (
    SELECT i.id FROM workflow.work_items AS i WHERE i.id = $1
    UNION ALL
    SELECT c.id FROM tree AS t CROSS JOIN LATERAL (
        SELECT i.id FROM workflow.work_items AS i WHERE i.place = t.id OFFSET 0) AS c
)
SELECT id FROM tree;
