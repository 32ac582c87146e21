-- insert_item --
-- One item as the last of its siblings; no row where another took the same place in this moment.
INSERT INTO workflow.work_items AS i (parent_id, order_key, kind, title, description, status, priority,
    labels, assignee, due_at, estimate_minutes, acceptance, code, entities, outcome, external_ref,
    created_by, updated_by)
SELECT $1::text,
       workflow.work_key_between((SELECT s.order_key FROM workflow.work_items AS s
                                  WHERE s.place = coalesce($1, '')
                                  ORDER BY s.order_key DESC LIMIT 1), NULL),
       coalesce(f ->> 'kind', 'task'), f ->> 'title', coalesce(f ->> 'description', ''),
       f ->> 'status', coalesce((f ->> 'priority')::smallint, 2),
       ARRAY(SELECT jsonb_array_elements_text(f -> 'labels')), f ->> 'assignee',
       (f ->> 'due')::timestamptz, (f ->> 'estimate')::float8, coalesce(f -> 'acceptance', '[]'),
       coalesce(f -> 'code_links', '[]'), ARRAY(SELECT jsonb_array_elements_text(f -> 'entities'))::uuid[],
       coalesce(f ->> 'outcome', ''), f ->> 'external_ref', $3, $3
FROM (SELECT $2::jsonb AS f) AS given
ON CONFLICT (place, order_key) DO NOTHING
RETURNING i.id, i.kind, i.version, i.status;

-- update_item --
-- Fields of an item, for whoever holds the claim or, where nobody does, knows the version. The graph
-- first where other items are touched: what it blocks, or the parent of what is opened again. `since` is
-- nothing, but has the time of a claim looked at after the wait for the graph.
WITH graph AS MATERIALIZED (
    SELECT FROM workflow.work_graph WHERE $2::jsonb ?| ARRAY['status', 'kind'] AND (
        EXISTS (SELECT FROM workflow.work_links AS l
                WHERE l.source_id = $1 AND l.type = 'blocks' AND l.removed_at IS NULL)
        OR EXISTS (SELECT FROM workflow.work_items AS o WHERE o.id = $1 AND NOT o.is_open))
    FOR UPDATE
)
UPDATE workflow.work_items AS i
SET kind = coalesce(f ->> 'kind', i.kind), title = coalesce(f ->> 'title', i.title),
    description = coalesce(f ->> 'description', i.description),
    status = coalesce(f ->> 'status', i.status),
    priority = coalesce((f ->> 'priority')::smallint, i.priority),
    labels = CASE WHEN f ? 'labels' THEN ARRAY(SELECT jsonb_array_elements_text(f -> 'labels'))
                  ELSE i.labels END,
    assignee = CASE WHEN f ? 'assignee' THEN f ->> 'assignee' ELSE i.assignee END,
    due_at = CASE WHEN f ? 'due' THEN (f ->> 'due')::timestamptz ELSE i.due_at END,
    estimate_minutes = CASE WHEN f ? 'estimate' THEN (f ->> 'estimate')::float8
                            ELSE i.estimate_minutes END,
    acceptance = coalesce(f -> 'acceptance', i.acceptance), code = coalesce(f -> 'code_links', i.code),
    entities = CASE WHEN f ? 'entities'
                    THEN ARRAY(SELECT jsonb_array_elements_text(f -> 'entities'))::uuid[]
                    ELSE i.entities END,
    outcome = coalesce(f ->> 'outcome', i.outcome),
    version = i.version + 1, updated_at = clock_timestamp(), updated_by = $5,
    updated_agent = CASE WHEN $4 > 0 THEN i.claim_holder ELSE '' END
FROM (SELECT count(*) * interval '0' AS since FROM graph) AS held, (SELECT $2::jsonb AS f) AS given
WHERE i.id = $1 AND i.deleted_at IS NULL AND ($3::integer = 0 OR i.version = $3)
  AND CASE WHEN $4::bigint > 0 THEN i.claim_epoch = $4 AND i.claim_until > clock_timestamp() - held.since
           ELSE i.claim_until IS NULL OR i.claim_until <= clock_timestamp() END
RETURNING i.id, i.kind, i.version, i.status;

-- finish_item --
-- An open item to where its kind is done, or to the status that is named; the graph first where it
-- blocks others, and then the time, as above.
WITH graph AS MATERIALIZED (
    SELECT FROM workflow.work_graph WHERE EXISTS (
        SELECT FROM workflow.work_links AS l
        WHERE l.source_id = $1 AND l.type = 'blocks' AND l.removed_at IS NULL)
    FOR UPDATE
)
UPDATE workflow.work_items AS i
SET status = coalesce(nullif($3, ''), (
        SELECT s.status FROM workflow.work_statuses AS s
        WHERE s.kind = i.kind AND s.category = 'done' ORDER BY s.place LIMIT 1), i.status),
    outcome = coalesce(nullif($4, ''), i.outcome),
    claim_holder = NULL, claimed_at = NULL, claim_until = NULL,
    version = i.version + 1, updated_at = clock_timestamp(), updated_by = $5,
    updated_agent = CASE WHEN $2 > 0 THEN i.claim_holder ELSE '' END
FROM (SELECT count(*) * interval '0' AS since FROM graph) AS held
WHERE i.id = $1 AND i.is_open
  AND CASE WHEN $2::bigint > 0 THEN i.claim_epoch = $2 AND i.claim_until > clock_timestamp() - held.since
           ELSE i.claim_until IS NULL OR i.claim_until <= clock_timestamp() END
RETURNING i.id, i.kind, i.version, i.status;

-- get_state --
-- Why a write found nothing to change.
SELECT id, kind, version, status, category, updated_by, deleted_at IS NOT NULL AS deleted, open_blockers,
       claim_epoch, claim_holder, claim_until, claim_until > clock_timestamp() AS held
FROM workflow.work_items WHERE id = $1;

-- get_item --
-- An item with all around it.
SELECT i.id, i.kind, i.title, i.description, i.status, i.priority, i.labels, i.assignee, i.due_at,
       i.estimate_minutes, i.acceptance::text AS acceptance, i.code::text AS code, i.entities, i.outcome, i.external_ref,
       i.version, i.created_at, i.updated_at, i.closed_at, i.archived_at, i.deleted_at, i.created_by,
       i.updated_by, i.open_blockers, i.is_open, i.claim_epoch, i.claim_holder, i.claim_until,
       i.claim_until > clock_timestamp() AS held,
       workflow.work_progress(i.id)::float8 AS progress,
       (SELECT p.kind || ':' || p.id FROM workflow.work_items AS p WHERE p.id = i.parent_id) AS parent,
       (SELECT b.kind || ':' || b.id FROM workflow.work_items AS b
        WHERE b.place = i.place AND b.order_key < i.order_key AND b.deleted_at IS NULL
        ORDER BY b.order_key DESC LIMIT 1) AS prev,
       (SELECT a.kind || ':' || a.id FROM workflow.work_items AS a
        WHERE a.place = i.place AND a.order_key > i.order_key AND a.deleted_at IS NULL
        ORDER BY a.order_key LIMIT 1) AS next,
       (SELECT count(*) FROM workflow.work_items AS c
        WHERE c.place = i.id AND c.deleted_at IS NULL)::int AS children,
       ARRAY(SELECT t.to_status FROM workflow.work_transitions AS t
             JOIN workflow.work_statuses AS s ON s.kind = t.kind AND s.status = t.to_status
             WHERE t.kind = i.kind AND t.from_status = i.status ORDER BY s.place) AS next_statuses,
       (SELECT coalesce(jsonb_agg(l.link ORDER BY l.id), '[]') FROM (
            SELECT l.id, jsonb_build_object('type', l.type, 'id', l.target_id, 'title', o.title,
                                            'status', o.status) AS link
            FROM workflow.work_links AS l JOIN workflow.work_items AS o ON o.id = l.target_id
            WHERE l.source_id = i.id AND l.removed_at IS NULL
            UNION ALL
            SELECT l.id, jsonb_build_object('type', CASE l.type WHEN 'blocks' THEN 'blocked_by'
                       WHEN 'duplicates' THEN 'duplicated_by' WHEN 'discovered_from' THEN 'led_to'
                       ELSE l.type END, 'id', l.source_id, 'title', o.title, 'status', o.status)
            FROM workflow.work_links AS l JOIN workflow.work_items AS o ON o.id = l.source_id
            WHERE l.target_id = i.id AND l.removed_at IS NULL
            LIMIT 100) AS l)::text AS links,
       (SELECT coalesce(jsonb_agg(c.line ORDER BY c.id), '[]') FROM (
            SELECT c.id, jsonb_build_object('by', c.created_by, 'agent', nullif(c.agent, ''),
                'at', c.created_at, 'body', c.body) AS line
            FROM workflow.comments AS c WHERE c.item_id = i.id
            ORDER BY c.id DESC LIMIT $2) AS c)::text AS comments,
       workflow.review_of(i.id)::text AS review
FROM workflow.work_items AS i WHERE i.id = $1;

-- query_items --
-- Items by their fields after a position, the latest change first.
SELECT i.id, i.kind, i.title, i.status, i.priority, i.labels, i.assignee, i.due_at, i.version,
       i.parent_id, i.updated_at
FROM workflow.work_items AS i
WHERE (i.deleted_at IS NULL OR $9) AND (i.archived_at IS NULL OR $9)
  AND (cardinality($1::text[]) = 0 OR i.status = ANY ($1))
  AND (cardinality($2::text[]) = 0 OR i.kind = ANY ($2))
  AND i.labels @> $3::text[] AND ($4 = '' OR i.assignee = $4)
  AND ($5 = '' OR i.place = $5)
  AND ($6 = '' OR i.title ILIKE '%' || $6 || '%' OR i.description ILIKE '%' || $6 || '%'
       OR i.external_ref = $12)
  AND (NOT $10 OR i.is_open)
  AND ($7::timestamptz IS NULL OR (i.updated_at, i.id) < ($7, $8::text))
ORDER BY i.updated_at DESC, i.id DESC
LIMIT $11;

-- delete_item writes --
-- An item and all beneath it as deleted, if it is in that version; how many.
SELECT workflow.delete_work($1, $2, $3, $4);

-- restore_item writes --
-- An item and what was deleted together with it; how many.
SELECT workflow.restore_work($1, $2, $3, $4);

-- archive_item --
-- A closed item and all beneath it out of the way, or back; the graph first, since they are several.
WITH RECURSIVE graph AS MATERIALIZED (
    SELECT FROM workflow.work_graph FOR UPDATE
), tree AS (
    SELECT i.id FROM workflow.work_items AS i
    WHERE i.id = $1 AND i.deleted_at IS NULL AND i.category IN ('done', 'dropped')
    UNION ALL
    SELECT c.id FROM tree AS t CROSS JOIN LATERAL (
        SELECT i.id, i.deleted_at, i.category FROM workflow.work_items AS i
        WHERE i.place = t.id OFFSET 0) AS c
    WHERE c.deleted_at IS NULL AND c.category IN ('done', 'dropped')
)
UPDATE workflow.work_items AS i
SET archived_at = CASE WHEN $2::boolean THEN clock_timestamp() END, version = i.version + 1,
    updated_at = clock_timestamp(), updated_by = $3, updated_agent = ''
FROM (SELECT count(*) FROM graph) AS held, tree
WHERE i.id = tree.id AND (i.archived_at IS NULL) = $2
RETURNING i.id;

-- insert_comment --
-- A remark on an item that is not deleted.
INSERT INTO workflow.comments (item_id, body, created_by, agent)
SELECT i.id, $2, $3, $4 FROM workflow.work_items AS i WHERE i.id = $1 AND i.deleted_at IS NULL
RETURNING id, created_at;

-- insert_link --
-- A link between two items that are not deleted; none where it is there.
INSERT INTO workflow.work_links (source_id, type, target_id, created_by)
SELECT s.id, $2, t.id, $4 FROM workflow.work_items AS s, workflow.work_items AS t
WHERE s.id = $1 AND t.id = $3 AND s.deleted_at IS NULL AND t.deleted_at IS NULL
ON CONFLICT (source_id, type, target_id) WHERE removed_at IS NULL DO NOTHING
RETURNING id;

-- remove_link --
-- End a link; it stays in the history.
UPDATE workflow.work_links SET removed_at = clock_timestamp(), removed_by = $4
WHERE source_id = $1 AND type = $2 AND target_id = $3 AND removed_at IS NULL
RETURNING id;

-- count_entities --
-- How many of some records there are.
SELECT count(*) FROM workflow.entities WHERE id = ANY ($1::uuid[]);

-- list_kinds --
-- Kinds with their statuses and what each may become.
SELECT k.name, k.description,
       (SELECT jsonb_agg(jsonb_build_object('status', s.status, 'category', s.category, 'to', ARRAY(
            SELECT t.to_status FROM workflow.work_transitions AS t
            JOIN workflow.work_statuses AS o ON o.kind = t.kind AND o.status = t.to_status
            WHERE t.kind = s.kind AND t.from_status = s.status ORDER BY o.place)) ORDER BY s.place)
        FROM workflow.work_statuses AS s WHERE s.kind = k.name)::text AS statuses
FROM workflow.work_kinds AS k ORDER BY k.name;

-- insert_kind --
-- A kind of the project's own, with statuses in their order; no row where its name is taken.
WITH kind AS (
    INSERT INTO workflow.work_kinds (name, description, created_by) VALUES ($1, $2, $4)
    ON CONFLICT DO NOTHING RETURNING name
), statuses AS (
    INSERT INTO workflow.work_statuses (kind, status, category, place)
    SELECT kind.name, s.one ->> 'status', s.one ->> 'category', s.place
    FROM kind, jsonb_array_elements($3::jsonb) WITH ORDINALITY AS s (one, place)
)
SELECT name FROM kind;

-- insert_transitions --
-- What each status of a kind may become.
INSERT INTO workflow.work_transitions (kind, from_status, to_status)
SELECT DISTINCT $1, s.one ->> 'status', t.target
FROM jsonb_array_elements($2::jsonb) AS s (one), jsonb_array_elements_text(s.one -> 'to') AS t (target);
