-- propose --
-- A first text to be agreed on, or a new one where the last was settled; no row where one is under way.
-- The item first, so that nobody deletes it meanwhile.
WITH item AS MATERIALIZED (
    SELECT i.id FROM workflow.work_items AS i WHERE i.id = $1 AND i.deleted_at IS NULL FOR NO KEY UPDATE
), made AS (
    INSERT INTO workflow.work_reviews AS r (item_id, server_agent, server_content, server_complexity,
        max_iterations, updated_by)
    SELECT item.id, $2, $3, $5::float8, s.max_iterations, $6
    FROM item, workflow.work_settings AS s
    ON CONFLICT (item_id) DO UPDATE
    SET state = 'proposed', server_agent = excluded.server_agent, client_agent = NULL,
        server_content = excluded.server_content, client_content = NULL, final_content = NULL,
        iteration_count = 0, max_iterations = excluded.max_iterations,
        server_complexity = excluded.server_complexity, client_complexity = NULL,
        updated_at = excluded.updated_at, updated_by = excluded.updated_by
    WHERE r.state IN ('agreed', 'resolved')
    RETURNING r.*
), told AS (
    INSERT INTO workflow.work_review_rounds
        (item_id, action, agent, content, reasoning, complexity, created_by)
    SELECT item_id, 'propose', $2, $3, $4, $5, $6 FROM made
)
SELECT made.*, NULL::uuid AS dispute, NULL::text AS resolver, false AS promoted FROM made;

-- advance --
-- The next step of a review, by whose turn it is; one change too many is a dispute.
WITH item AS MATERIALIZED (
    SELECT i.id FROM workflow.work_items AS i WHERE i.id = $1 AND i.deleted_at IS NULL FOR NO KEY UPDATE
), changed AS (
    UPDATE workflow.work_reviews AS r
    SET state = CASE $2
            WHEN 'revise' THEN 'proposed' WHEN 'approve' THEN 'agreed' WHEN 'dispute' THEN 'disputed'
            ELSE CASE WHEN r.iteration_count + 1 >= r.max_iterations THEN 'disputed'
                      ELSE 'changes_requested' END END,
        server_content = CASE WHEN $3 = r.server_agent AND $4 <> '' THEN $4 ELSE r.server_content END,
        client_content = CASE WHEN $3 <> r.server_agent AND $4 <> '' THEN $4 ELSE r.client_content END,
        client_agent = CASE WHEN $3 <> r.server_agent THEN $3 ELSE r.client_agent END,
        final_content = CASE WHEN $2 = 'approve' THEN
            CASE r.state WHEN 'proposed' THEN r.server_content ELSE r.client_content END END,
        iteration_count = r.iteration_count + ($2 = 'request_changes')::integer,
        server_complexity = CASE WHEN $3 = r.server_agent THEN coalesce($6::float8, r.server_complexity)
                                 ELSE r.server_complexity END,
        client_complexity = CASE WHEN $3 <> r.server_agent THEN coalesce($6::float8, r.client_complexity)
                                 ELSE r.client_complexity END,
        updated_at = clock_timestamp(), updated_by = $7
    FROM item
    WHERE r.item_id = item.id AND $8 NOT IN (r.server_agent, coalesce(r.client_agent, $3))
      AND ($2 <> 'approve' OR $4 = '') AND CASE r.state
        WHEN 'proposed' THEN $2 IN ('request_changes', 'approve', 'dispute')
            AND $3 <> r.server_agent AND coalesce(r.client_agent, $3) = $3
            AND ($2 <> 'dispute' OR $4 <> '' OR r.client_content IS NOT NULL)
        WHEN 'changes_requested' THEN
            ($3 = r.server_agent AND $2 IN ('revise', 'approve', 'dispute'))
            OR ($3 = r.client_agent AND $2 = 'dispute')
        ELSE false END
    RETURNING r.*
), told AS (
    INSERT INTO workflow.work_review_rounds
        (item_id, action, agent, content, reasoning, complexity, created_by)
    SELECT item_id, $2, $3, $4, $5, $6, $7 FROM changed
), opened AS (
    INSERT INTO workflow.disputes (step_id, server_agent, client_agent, server_content, client_content,
        server_reasoning, client_reasoning, resolver)
    SELECT c.item_id, c.server_agent, c.client_agent, c.server_content, c.client_content,
           CASE WHEN $3 = c.server_agent THEN $5
                ELSE workflow.last_reasoning(c.item_id, c.server_agent) END,
           CASE WHEN $3 = c.client_agent THEN $5
                ELSE workflow.last_reasoning(c.item_id, c.client_agent) END,
           nullif($8, '')
    FROM changed AS c WHERE c.state = 'disputed'
    RETURNING id, resolver
), promoted AS (
    UPDATE workflow.work_items AS i
    SET kind = 'task', version = i.version + 1, updated_at = clock_timestamp(), updated_by = $7,
        updated_agent = $3
    FROM changed AS c, workflow.work_settings AS s
    WHERE i.id = c.item_id AND c.state = 'agreed' AND i.kind = 'step' AND i.deleted_at IS NULL
      AND workflow.agreed_complexity(c.server_complexity, c.client_complexity)
          > s.complexity_threshold::numeric
    RETURNING i.id
)
SELECT c.*, o.id AS dispute, o.resolver, EXISTS (SELECT FROM promoted) AS promoted
FROM changed AS c LEFT JOIN opened AS o ON true;

-- get_review --
-- Whose turn it is with an item that is not deleted; no state where nothing has been proposed.
SELECT r.state, r.server_agent, r.client_agent, d.resolver
FROM workflow.work_items AS i LEFT JOIN workflow.work_reviews AS r ON r.item_id = i.id
LEFT JOIN workflow.disputes AS d ON d.step_id = i.id AND d.status = 'open'
WHERE i.id = $1 AND i.deleted_at IS NULL;

-- resolve --
-- The end of a dispute, by somebody who is no party to it; the named resolver where there is one.
WITH item AS MATERIALIZED (
    SELECT i.id FROM workflow.work_items AS i WHERE i.id = $1 AND i.deleted_at IS NULL FOR NO KEY UPDATE
), settled AS (
    UPDATE workflow.disputes AS d
    SET status = 'resolved', user_resolution = $2,
        resolved_content = CASE $2 WHEN 'server' THEN d.server_content
                                   WHEN 'client' THEN d.client_content ELSE $3 END,
        resolved_at = clock_timestamp(), resolved_by = $4
    FROM item
    WHERE d.step_id = item.id AND d.status = 'open'
      AND $4 NOT IN (d.server_agent, d.client_agent) AND coalesce(d.resolver, $4) = $4
    RETURNING d.id, d.step_id, d.resolved_content, d.resolver
), changed AS (
    UPDATE workflow.work_reviews AS r
    SET state = 'resolved', final_content = s.resolved_content, updated_at = clock_timestamp(),
        updated_by = $6
    FROM settled AS s WHERE r.item_id = s.step_id
    RETURNING r.*
), told AS (
    INSERT INTO workflow.work_review_rounds
        (item_id, action, agent, content, reasoning, complexity, created_by)
    SELECT item_id, 'resolve', $4, final_content, $5, NULL, $6 FROM changed
), promoted AS (
    UPDATE workflow.work_items AS i
    SET kind = 'task', version = i.version + 1, updated_at = clock_timestamp(), updated_by = $6,
        updated_agent = $4
    FROM changed AS c, workflow.work_settings AS s
    WHERE i.id = c.item_id AND i.kind = 'step' AND i.deleted_at IS NULL
      AND workflow.agreed_complexity(c.server_complexity, c.client_complexity)
          > s.complexity_threshold::numeric
    RETURNING i.id
)
SELECT c.*, s.id AS dispute, s.resolver, EXISTS (SELECT FROM promoted) AS promoted
FROM changed AS c, settled AS s;

-- list_disputes --
-- Disputes of a state, or of one item, with both sides, the oldest first.
SELECT d.id::text AS id, d.step_id AS item, i.title, d.status, d.server_agent, d.client_agent,
       d.server_content, d.client_content, d.server_reasoning, d.client_reasoning, d.resolver,
       d.user_resolution, d.resolved_content, d.resolved_by, d.created_at
FROM workflow.disputes AS d JOIN workflow.work_items AS i ON i.id = d.step_id
WHERE ($1 = '' OR d.status = $1) AND ($3 = '' OR d.step_id = $3)
ORDER BY d.created_at, d.id LIMIT $2;

-- get_settings --
-- What the project has set.
SELECT complexity_threshold, max_iterations
FROM workflow.work_settings;

-- set_settings --
-- Set what is given.
UPDATE workflow.work_settings
SET complexity_threshold = coalesce($1::float8, complexity_threshold),
    max_iterations = coalesce($2::integer, max_iterations)
RETURNING complexity_threshold, max_iterations;
