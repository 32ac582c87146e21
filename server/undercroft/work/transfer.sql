-- export_lines --
-- Everything of the room but its history and who is at what, one JSON text a line, parents first.
WITH RECURSIVE tree AS (
    SELECT i.id, 0 AS depth FROM workflow.work_items AS i WHERE i.place = ''
    UNION ALL
    SELECT c.id, t.depth + 1 FROM tree AS t CROSS JOIN LATERAL (
        SELECT i.id FROM workflow.work_items AS i WHERE i.place = t.id OFFSET 0) AS c
), zulu (format) AS (
    VALUES ('YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
), lines AS (
    SELECT 1 AS part, 0::bigint AS first, k.name AS second, ''::text AS third, json_build_object(
        'type', 'kind', 'name', k.name, 'description', k.description, 'created_by', k.created_by,
        'statuses', (SELECT json_agg(json_build_object('status', s.status, 'category', s.category, 'to',
            ARRAY(SELECT t.to_status FROM workflow.work_transitions AS t
                  WHERE t.kind = s.kind AND t.from_status = s.status ORDER BY t.to_status))
            ORDER BY s.place) FROM workflow.work_statuses AS s WHERE s.kind = k.name)) AS line
    FROM workflow.work_kinds AS k WHERE k.name NOT IN ('epic', 'issue', 'task', 'step')
    UNION ALL
    SELECT 2, t.depth, i.id, '', json_build_object(
        'type', 'item', 'id', i.id, 'parent', i.parent_id, 'order', trim_scale(i.order_key)::text,
        'kind', i.kind, 'title', i.title, 'description', i.description,
        -- What somebody is at is given back.
        'status', CASE WHEN i.claim_holder IS NULL THEN i.status ELSE (
            SELECT s.status FROM workflow.work_statuses AS s
            WHERE s.kind = i.kind AND s.category = 'todo' ORDER BY s.place LIMIT 1) END,
        'priority', i.priority, 'labels', i.labels, 'assignee', i.assignee,
        'due', to_char(i.due_at AT TIME ZONE 'UTC', z.format), 'estimate', i.estimate_minutes, 'acceptance', i.acceptance,
        'code_links', i.code, 'entities', i.entities, 'outcome', i.outcome, 'external_ref', i.external_ref,
        'version', i.version, 'epoch', i.claim_epoch,
        'created_at', to_char(i.created_at AT TIME ZONE 'UTC', z.format),
        'updated_at', to_char(i.updated_at AT TIME ZONE 'UTC', z.format),
        'closed_at', to_char(i.closed_at AT TIME ZONE 'UTC', z.format),
        'archived_at', to_char(i.archived_at AT TIME ZONE 'UTC', z.format),
        'deleted_at', to_char(i.deleted_at AT TIME ZONE 'UTC', z.format),
        'created_by', i.created_by, 'updated_by', i.updated_by, 'agent', i.updated_agent)
    FROM workflow.work_items AS i JOIN tree AS t ON t.id = i.id, zulu AS z
    UNION ALL
    SELECT 3, 0, l.source_id || ' ' || l.type, l.target_id, json_build_object(
        'type', 'link', 'source', l.source_id, 'link', l.type, 'target', l.target_id,
        'created_at', to_char(l.created_at AT TIME ZONE 'UTC', z.format), 'created_by', l.created_by)
    FROM workflow.work_links AS l, zulu AS z WHERE l.removed_at IS NULL
    UNION ALL
    SELECT 4, c.id, '', '', json_build_object(
        'type', 'comment', 'item', c.item_id, 'body', c.body,
        'created_at', to_char(c.created_at AT TIME ZONE 'UTC', z.format),
        'created_by', c.created_by, 'agent', c.agent)
    FROM workflow.comments AS c, zulu AS z
    UNION ALL
    SELECT 5, 0, r.item_id, '', json_build_object(
        'type', 'review', 'item', r.item_id, 'state', r.state, 'server_agent', r.server_agent,
        'client_agent', r.client_agent, 'server_content', r.server_content,
        'client_content', r.client_content, 'final_content', r.final_content,
        'iterations', r.iteration_count, 'max_iterations', r.max_iterations,
        'server_complexity', r.server_complexity, 'client_complexity', r.client_complexity,
        'updated_at', to_char(r.updated_at AT TIME ZONE 'UTC', z.format), 'updated_by', r.updated_by)
    FROM workflow.work_reviews AS r, zulu AS z
    UNION ALL
    SELECT 6, o.id, '', '', json_build_object(
        'type', 'round', 'item', o.item_id, 'action', o.action, 'agent', o.agent, 'content', o.content,
        'reasoning', o.reasoning, 'complexity', o.complexity, 'created_by', o.created_by,
        'created_at', to_char(o.created_at AT TIME ZONE 'UTC', z.format))
    FROM workflow.work_review_rounds AS o, zulu AS z
    UNION ALL
    SELECT 7, 0, d.id::text, '', json_build_object(
        'type', 'dispute', 'id', d.id, 'item', d.step_id, 'server_agent', d.server_agent,
        'client_agent', d.client_agent, 'server_content', d.server_content,
        'client_content', d.client_content, 'server_reasoning', d.server_reasoning,
        'client_reasoning', d.client_reasoning, 'status', d.status, 'resolver', d.resolver,
        'user_resolution', d.user_resolution, 'resolved_content', d.resolved_content,
        'resolved_at', to_char(d.resolved_at AT TIME ZONE 'UTC', z.format),
        'resolved_by', d.resolved_by, 'created_at', to_char(d.created_at AT TIME ZONE 'UTC', z.format))
    FROM workflow.disputes AS d, zulu AS z
)
SELECT line::text AS line FROM lines ORDER BY part, first, second COLLATE "C", third COLLATE "C";

-- list_known --
-- Which of some ids and outside names are there already, and how they stand.
SELECT id, external_ref, status, is_open, deleted_at IS NOT NULL AS deleted FROM workflow.work_items
WHERE id = ANY ($1::text[]) OR external_ref = ANY ($1::text[]);

-- import_items --
-- Items as they were, parents first; a place among siblings that is taken becomes the last one.
INSERT INTO workflow.work_items (id, parent_id, order_key, kind, title, description, status, priority,
    labels, assignee, due_at, estimate_minutes, acceptance, code, entities, outcome, external_ref, version, claim_epoch,
    created_at, updated_at, closed_at, archived_at, deleted_at, created_by, updated_by, updated_agent)
SELECT f ->> 'id', f ->> 'parent',
       CASE WHEN f ->> 'order' IS NULL OR EXISTS (
                SELECT FROM workflow.work_items AS s
                WHERE s.place = coalesce(f ->> 'parent', '') AND s.order_key = (f ->> 'order')::numeric)
            THEN n.place + coalesce((
                SELECT floor(s.order_key) FROM workflow.work_items AS s
                WHERE s.place = coalesce(f ->> 'parent', '') ORDER BY s.order_key DESC LIMIT 1), 0)
            ELSE (f ->> 'order')::numeric END,
       f ->> 'kind', f ->> 'title', coalesce(f ->> 'description', ''), f ->> 'status',
       coalesce((f ->> 'priority')::smallint, 2),
       ARRAY(SELECT jsonb_array_elements_text(f -> 'labels')), f ->> 'assignee',
       (f ->> 'due')::timestamptz, (f ->> 'estimate')::float8, coalesce(f -> 'acceptance', '[]'), coalesce(f -> 'code_links', '[]'),
       ARRAY(SELECT jsonb_array_elements_text(f -> 'entities'))::uuid[],
       coalesce(f ->> 'outcome', ''), f ->> 'external_ref', coalesce((f ->> 'version')::integer, 1),
       coalesce((f ->> 'epoch')::bigint, 0),
       coalesce((f ->> 'created_at')::timestamptz, clock_timestamp()),
       coalesce((f ->> 'updated_at')::timestamptz, clock_timestamp()),
       (f ->> 'closed_at')::timestamptz, (f ->> 'archived_at')::timestamptz,
       (f ->> 'deleted_at')::timestamptz, coalesce(f ->> 'created_by', $2),
       coalesce(f ->> 'updated_by', $2), coalesce(f ->> 'agent', '')
FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS n (f, place)
ORDER BY n.place;

-- import_links --
-- Links as they were; none where there is one, or was one that somebody has ended.
INSERT INTO workflow.work_links (source_id, type, target_id, created_at, created_by)
SELECT f ->> 'source', f ->> 'link', f ->> 'target',
       coalesce((f ->> 'created_at')::timestamptz, clock_timestamp()), coalesce(f ->> 'created_by', $2)
FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS n (f, place)
WHERE NOT EXISTS (
    SELECT FROM workflow.work_links AS l
    WHERE l.source_id = f ->> 'source' AND l.type = f ->> 'link' AND l.target_id = f ->> 'target')
ORDER BY n.place
ON CONFLICT (source_id, type, target_id) WHERE removed_at IS NULL DO NOTHING;

-- import_comments --
-- Comments as they were, in their order; of an item that was there before, those that it lacks.
INSERT INTO workflow.comments (item_id, body, created_at, created_by, agent)
SELECT f ->> 'item', f ->> 'body', coalesce((f ->> 'created_at')::timestamptz, clock_timestamp()),
       coalesce(f ->> 'created_by', $2), coalesce(f ->> 'agent', '')
FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS n (f, place)
WHERE NOT (f -> 'again')::boolean OR NOT EXISTS (
    SELECT FROM workflow.comments AS c
    WHERE c.item_id = f ->> 'item' AND c.created_at = (f ->> 'created_at')::timestamptz
      AND c.body = f ->> 'body')
ORDER BY n.place;

-- import_reviews --
-- Reviews as they stood; whether their rounds and disputes lead there is looked at in the end.
INSERT INTO workflow.work_reviews (item_id, state, server_agent, client_agent, server_content,
    client_content, final_content, iteration_count, max_iterations, server_complexity,
    client_complexity, updated_at, updated_by)
SELECT f ->> 'item', f ->> 'state', f ->> 'server_agent', f ->> 'client_agent',
       f ->> 'server_content', f ->> 'client_content', f ->> 'final_content',
       (f ->> 'iterations')::integer, (f ->> 'max_iterations')::integer,
       (f ->> 'server_complexity')::float8, (f ->> 'client_complexity')::float8,
       (f ->> 'updated_at')::timestamptz, coalesce(f ->> 'updated_by', $2)
FROM jsonb_array_elements($1::jsonb) AS n (f);

-- import_rounds --
-- What was said in them, in its order.
INSERT INTO workflow.work_review_rounds
    (item_id, action, agent, content, reasoning, complexity, created_by, created_at)
SELECT f ->> 'item', f ->> 'action', f ->> 'agent', f ->> 'content', f ->> 'reasoning',
       (f ->> 'complexity')::float8, coalesce(f ->> 'created_by', $2),
       (f ->> 'created_at')::timestamptz
FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS n (f, place)
ORDER BY n.place;

-- import_disputes --
-- Disputes as they stood.
INSERT INTO workflow.disputes (id, step_id, server_agent, client_agent, server_content, client_content,
    server_reasoning, client_reasoning, status, resolver, user_resolution, resolved_content, resolved_at,
    resolved_by, created_at)
SELECT (f ->> 'id')::uuid, f ->> 'item', f ->> 'server_agent', f ->> 'client_agent',
       f ->> 'server_content', f ->> 'client_content',
       f ->> 'server_reasoning', f ->> 'client_reasoning', f ->> 'status', f ->> 'resolver',
       f ->> 'user_resolution', f ->> 'resolved_content', (f ->> 'resolved_at')::timestamptz,
       f ->> 'resolved_by', coalesce((f ->> 'created_at')::timestamptz, now())
FROM jsonb_array_elements($1::jsonb) AS n (f), (SELECT $2::text) AS actor;
