-- list_history --
-- Versions of an item before one, newest first, each with the one before.
SELECT h.version, h.operation, h.changed_by, nullif(h.agent, '') AS agent, h.changed_at,
       h.data::text AS data, b.data::text AS previous
FROM workflow.work_history AS h
LEFT JOIN workflow.work_history AS b ON b.item_id = h.item_id AND b.version = h.version - 1
WHERE h.item_id = $1 AND h.version < $2
ORDER BY h.version DESC LIMIT $3;

-- get_deletions --
-- Of an item: its version, when it was deleted, and when it was in an earlier version.
SELECT i.version, i.deleted_at IS NOT NULL AS deleted, h.data ->> 'deleted_at' IS NOT NULL AS was_deleted
FROM workflow.work_items AS i JOIN workflow.work_history AS h ON h.item_id = i.id
WHERE i.id = $1 AND h.version = $2;

-- undo_item --
-- An item as it was in an earlier version, for whoever may write to it; its place where it is free, and
-- what somebody was at can be started again. The graph first: it may move, or open again.
WITH graph AS MATERIALIZED (
    SELECT FROM workflow.work_graph FOR UPDATE
)
UPDATE workflow.work_items AS i
SET parent_id = h.data ->> 'parent_id',
    order_key = CASE WHEN EXISTS (
            SELECT FROM workflow.work_items AS s
            WHERE s.place = coalesce(h.data ->> 'parent_id', '') AND s.id <> i.id
              AND s.order_key = (h.data ->> 'order_key')::numeric)
        THEN workflow.work_key_between((
            SELECT s.order_key FROM workflow.work_items AS s
            WHERE s.place = coalesce(h.data ->> 'parent_id', '') ORDER BY s.order_key DESC LIMIT 1), NULL)
        ELSE (h.data ->> 'order_key')::numeric END,
    kind = h.data ->> 'kind', title = h.data ->> 'title', description = h.data ->> 'description',
    status = CASE WHEN h.data ->> 'claim_holder' IS NOT NULL AND i.claim_holder IS NULL
                  THEN (SELECT s.status FROM workflow.work_statuses AS s
                        WHERE s.kind = h.data ->> 'kind' AND s.category = 'todo' ORDER BY s.place LIMIT 1)
                  ELSE h.data ->> 'status' END,
    priority = (h.data ->> 'priority')::smallint,
    labels = ARRAY(SELECT jsonb_array_elements_text(h.data -> 'labels')),
    assignee = h.data ->> 'assignee', due_at = (h.data ->> 'due_at')::timestamptz,
    estimate_minutes = (h.data ->> 'estimate_minutes')::float8,
    acceptance = h.data -> 'acceptance', code = h.data -> 'code',
    entities = ARRAY(SELECT jsonb_array_elements_text(h.data -> 'entities'))::uuid[],
    outcome = h.data ->> 'outcome', archived_at = (h.data ->> 'archived_at')::timestamptz,
    version = i.version + 1, updated_at = clock_timestamp(), updated_by = $5,
    updated_agent = CASE WHEN $4 > 0 THEN i.claim_holder ELSE '' END
FROM (SELECT count(*) * interval '0' AS since FROM graph) AS held, workflow.work_history AS h
WHERE i.id = $1 AND i.version = $2 AND i.deleted_at IS NULL AND h.item_id = i.id AND h.version = $3
  AND CASE WHEN $4::bigint > 0 THEN i.claim_epoch = $4 AND i.claim_until > clock_timestamp() - held.since
           ELSE i.claim_until IS NULL OR i.claim_until <= clock_timestamp() END
  AND set_config('undercroft.undo', i.id || ':' || i.version + 1, true) IS NOT NULL
RETURNING i.id, i.kind, i.version, i.status;
