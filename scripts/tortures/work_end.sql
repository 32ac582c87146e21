-- What is left of the work room's torture.

-- list_edges --
-- What comes before what: links between items, and parents.
SELECT 'link' AS kind, source_id AS first, target_id AS second FROM workflow.work_links
WHERE type = 'blocks' AND removed_at IS NULL
UNION ALL
SELECT 'parent', parent_id, id FROM workflow.work_items WHERE parent_id IS NOT NULL;

-- list_ring --
-- The same of what is linked and moved about all the time.
SELECT 'link' AS kind, l.source_id AS first, l.target_id AS second
FROM workflow.work_links AS l JOIN workflow.work_items AS i ON i.id = l.source_id
WHERE l.type = 'blocks' AND l.removed_at IS NULL AND i.assignee = 'nobody'
UNION ALL
SELECT 'parent', parent_id, id FROM workflow.work_items
WHERE parent_id IS NOT NULL AND assignee = 'nobody';

-- count_open --
-- How many items are to be done, how many there are, and how often one was moved.
SELECT count(*) FILTER (WHERE is_open) AS open, count(*) AS every,
       (SELECT count(*) FROM workflow.work_history WHERE operation = 'move') AS moves
FROM workflow.work_items WHERE assignee IS NULL;

-- list_history --
-- Everything that ever happened to what was to be done, item by item.
SELECT h.item_id, h.version, h.operation, h.agent, h.data ->> 'status' AS status,
       (h.data ->> 'claim_epoch')::bigint AS epoch,
       extract(epoch FROM (h.data ->> 'claim_until')::timestamptz)::float8 AS until,
       extract(epoch FROM h.changed_at)::float8 AS at
FROM workflow.work_history AS h JOIN workflow.work_items AS i ON i.id = h.item_id
WHERE i.assignee IS NULL
ORDER BY h.item_id, h.version;
