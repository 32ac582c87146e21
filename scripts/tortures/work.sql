-- What holds of the work room at any moment, whoever is at work: each block names what it finds.
-- One statement sees one moment.

-- same_place --
-- Siblings of which none comes first.
SELECT place || ' ' || order_key AS fault FROM workflow.work_items
GROUP BY place, order_key HAVING count(*) > 1;

-- open_under_closed --
-- Something open whose parent is not.
SELECT c.id AS fault FROM workflow.work_items AS c
JOIN workflow.work_items AS p ON p.id = c.parent_id
WHERE c.is_open AND NOT p.is_open;

-- miscounted --
-- An item that waits for more or fewer than it is said to.
SELECT i.id || ': ' || i.open_blockers || ', not ' || c.number AS fault
FROM workflow.work_items AS i
LEFT JOIN workflow.work_items AS p ON p.id = i.parent_id
CROSS JOIN LATERAL (
    SELECT count(*) + coalesce((p.open_blockers > 0)::int, 0) AS number
    FROM workflow.work_links AS l JOIN workflow.work_items AS s ON s.id = l.source_id
    WHERE l.target_id = i.id AND l.type = 'blocks' AND l.removed_at IS NULL AND s.is_open
) AS c
WHERE i.open_blockers <> c.number;

-- closed_and_claimed --
-- Something closed that somebody still holds.
SELECT id AS fault FROM workflow.work_items WHERE NOT is_open AND claim_holder IS NOT NULL;
