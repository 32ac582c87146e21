-- mint_ids writes --
-- Ids for items that are to be made together.
SELECT workflow.new_work_id() AS id FROM generate_series(1, $1::integer);

-- lock_graph writes --
-- For a transaction that is about to lock more than one item.
SELECT FROM workflow.work_graph FOR UPDATE;

-- insert_plan --
-- Items of a plan under one parent of old, each parent before its children; places as they follow.
INSERT INTO workflow.work_items AS i (id, parent_id, order_key, kind, title, description, status,
    priority, labels, assignee, due_at, estimate_minutes, acceptance, code, entities, external_ref,
    created_by, updated_by)
SELECT n.f ->> 'id', coalesce(n.f ->> 'under', $1::text),
       n.place + CASE WHEN n.f ? 'under' THEN 0 ELSE (
           SELECT coalesce(max(s.order_key), 0)::bigint + floor(random() * 1000)::bigint + 1
           FROM (SELECT s.order_key FROM workflow.work_items AS s
                 WHERE s.place = coalesce($1, '') ORDER BY s.order_key DESC LIMIT 1) AS s) END,
       coalesce(n.f ->> 'kind', 'task'), n.f ->> 'title', coalesce(n.f ->> 'description', ''),
       n.f ->> 'status', coalesce((n.f ->> 'priority')::smallint, 2),
       ARRAY(SELECT jsonb_array_elements_text(n.f -> 'labels')), n.f ->> 'assignee',
       (n.f ->> 'due')::timestamptz, (n.f ->> 'estimate')::float8, coalesce(n.f -> 'acceptance', '[]'),
       coalesce(n.f -> 'code_links', '[]'),
       ARRAY(SELECT jsonb_array_elements_text(n.f -> 'entities'))::uuid[], n.f ->> 'external_ref', $3, $3
FROM jsonb_array_elements($2::jsonb) WITH ORDINALITY AS n (f, place)
ORDER BY n.place
ON CONFLICT (place, order_key) DO NOTHING
RETURNING i.id;

-- insert_plan_links --
-- Links of a plan.
INSERT INTO workflow.work_links (source_id, type, target_id, created_by)
SELECT l.source, l.type, l.target, $4
FROM unnest($1::text[], $2::text[], $3::text[]) AS l (source, type, target)
ON CONFLICT (source_id, type, target_id) WHERE removed_at IS NULL DO NOTHING;

-- read_plan --
-- A tree in its order with the progress of each part, as deep as fits the characters. What is not
-- shown is counted at the deepest of its ancestors that is; what is archived, in the progress alone.
-- OFFSET 0: by place alone, one by one. Of a table that is not analysed yet a join would read all for
-- each level, and so would any other condition that has an index.
WITH RECURSIVE tree AS (
    SELECT i.id, i.parent_id, 0 AS depth, ARRAY[i.order_key] AS path, ARRAY[i.id] AS chain,
           length(i.title) AS size, i.category, a.all, i.archived_at IS NOT NULL AND NOT a.all AS hidden
    FROM workflow.work_items AS i,
         LATERAL (SELECT $3::boolean OR (i.archived_at IS NOT NULL AND $1 <> '') AS all) AS a
    WHERE i.deleted_at IS NULL
      AND CASE WHEN $1 = '' THEN i.place = '' ELSE i.id = $1 END
    UNION ALL
    SELECT c.id, c.parent_id, t.depth + 1, t.path || c.order_key, t.chain || c.id,
           length(c.title), c.category, t.all, t.hidden OR (c.archived_at IS NOT NULL AND NOT t.all)
    FROM tree AS t CROSS JOIN LATERAL (
        SELECT * FROM workflow.work_items AS i WHERE i.place = t.id OFFSET 0) AS c
    WHERE c.deleted_at IS NULL
), levels AS (
    SELECT depth, sum(count(*)) OVER (ORDER BY depth) AS items,
           sum(sum(100 + size)) OVER (ORDER BY depth) AS characters
    FROM tree WHERE NOT hidden GROUP BY depth
), fit AS (
    SELECT least($4::integer, greatest(coalesce(max(depth) FILTER (WHERE characters <= $2), 0), 1)) AS depth,
           max(items)::int AS total
    FROM levels
), parents AS (
    SELECT DISTINCT t.parent_id AS id FROM tree AS t WHERE t.category <> 'dropped'
), deep AS (
    SELECT t.chain[fit.depth + 1] AS anchor, count(*) FILTER (WHERE NOT t.hidden) AS items,
           count(*) FILTER (WHERE t.category <> 'dropped' AND p.id IS NULL) AS leaves,
           count(*) FILTER (WHERE t.category = 'done' AND p.id IS NULL) AS done
    FROM fit, tree AS t LEFT JOIN parents AS p ON p.id = t.id
    WHERE t.depth >= fit.depth
    GROUP BY 1
), shown AS (
    SELECT t.id, t.depth, t.path, t.chain, t.depth = fit.depth AS cut, fit.total, t.hidden,
           coalesce(d.items, (NOT t.hidden)::int) AS items,
           CASE WHEN d.anchor IS NOT NULL THEN d.leaves
                ELSE (t.category <> 'dropped' AND p.id IS NULL)::int END AS leaves,
           CASE WHEN d.anchor IS NOT NULL THEN d.done
                ELSE (t.category = 'done' AND p.id IS NULL)::int END AS done
    FROM fit, tree AS t LEFT JOIN deep AS d ON d.anchor = t.id LEFT JOIN parents AS p ON p.id = t.id
    WHERE t.depth <= fit.depth
), rolled AS (
    SELECT a.id, sum(s.items)::int - 1 AS below, sum(s.leaves) AS leaves, sum(s.done) AS done
    FROM shown AS s, unnest(s.chain) AS a (id) GROUP BY a.id
)
SELECT s.id, s.depth, i.kind, i.title, i.status, i.priority, i.is_open AND i.open_blockers > 0 AS blocked,
       CASE WHEN i.claim_until > clock_timestamp() THEN i.claim_holder END AS held_by,
       CASE WHEN r.leaves > 0 THEN round(100.0 * r.done / r.leaves, 1)::float8 END AS progress,
       r.below, s.cut, s.total
FROM (SELECT * FROM shown WHERE NOT hidden ORDER BY path OFFSET $5 LIMIT $6) AS s
JOIN rolled AS r ON r.id = s.id JOIN workflow.work_items AS i ON i.id = s.id
ORDER BY s.path;

-- move_item --
-- An item to another parent, or to another place among its siblings, next to one of them. The graph
-- first: who has an item and then wants the graph would wait for one who has it the other way round.
WITH graph AS (
    UPDATE workflow.work_graph SET changes = changes + 1 RETURNING interval '0' AS since
)
UPDATE workflow.work_items AS i
SET parent_id = CASE WHEN a.id IS NULL THEN $2::text ELSE a.parent_id END,
    order_key = CASE
        WHEN $3 <> '' THEN workflow.work_key_between(
            (SELECT s.order_key FROM workflow.work_items AS s WHERE s.place = a.place
             AND s.order_key < a.order_key AND s.id <> i.id ORDER BY s.order_key DESC LIMIT 1), a.order_key)
        WHEN $4 <> '' THEN workflow.work_key_between(a.order_key,
            (SELECT s.order_key FROM workflow.work_items AS s WHERE s.place = a.place
             AND s.order_key > a.order_key AND s.id <> i.id ORDER BY s.order_key LIMIT 1))
        ELSE workflow.work_key_between(
            (SELECT s.order_key FROM workflow.work_items AS s WHERE s.place = coalesce($2, '')
             AND s.id <> i.id ORDER BY s.order_key DESC LIMIT 1), NULL) END,
    version = i.version + 1, updated_at = clock_timestamp(), updated_by = $7,
    updated_agent = CASE WHEN $6 > 0 THEN i.claim_holder ELSE '' END
FROM graph LEFT JOIN workflow.work_items AS a ON a.id = $3 || $4 AND a.deleted_at IS NULL
WHERE i.id = $1 AND i.deleted_at IS NULL AND ($5::integer = 0 OR i.version = $5)
  AND (a.id IS NOT NULL OR $3 || $4 = '')
  AND CASE WHEN $6::bigint > 0 THEN i.claim_epoch = $6 AND i.claim_until > clock_timestamp() - graph.since
           ELSE i.claim_until IS NULL OR i.claim_until <= clock_timestamp() END
RETURNING i.id, i.kind, i.version, i.status;
