-- propose --
-- A first text to be agreed on; no row where there is one already.
WITH made AS (
    INSERT INTO workflow.work_reviews (item_id, server_agent, server_content, server_complexity,
        max_iterations, updated_by)
    SELECT i.id, $2, $3, $5::numeric, s.max_iterations, $6
    FROM workflow.work_items AS i, workflow.work_settings AS s
    WHERE i.id = $1 AND i.deleted_at IS NULL
    ON CONFLICT DO NOTHING
    RETURNING item_id, state, iteration_count, max_iterations, final_content
), told AS (
    INSERT INTO workflow.work_review_rounds
        (item_id, action, agent, content, reasoning, complexity, created_by)
    SELECT item_id, 'propose', $2, $3, $4, $5, $6 FROM made
)
SELECT made.*, NULL::uuid AS dispute, false AS promoted FROM made;

-- advance --
-- The next step of a review, by whose turn it is; one change too many is a dispute.
WITH changed AS (
    UPDATE workflow.work_reviews AS r
    SET state = CASE $2
            WHEN 'revise' THEN 'proposed' WHEN 'approve' THEN 'agreed' WHEN 'dispute' THEN 'disputed'
            ELSE CASE WHEN r.iteration_count + 1 >= r.max_iterations THEN 'disputed'
                      ELSE 'changes_requested' END END,
        server_content = CASE WHEN $2 = 'revise' THEN $4 ELSE r.server_content END,
        client_content = CASE WHEN $3 <> r.server_agent AND $4 <> '' AND $2 <> 'approve' THEN $4
                              ELSE r.client_content END,
        client_agent = CASE WHEN $3 <> r.server_agent THEN $3 ELSE r.client_agent END,
        final_content = CASE WHEN $2 = 'approve' THEN
            CASE r.state WHEN 'proposed' THEN r.server_content ELSE r.client_content END END,
        iteration_count = r.iteration_count + ($2 = 'request_changes')::integer,
        server_complexity = CASE WHEN $3 = r.server_agent THEN coalesce($6::numeric, r.server_complexity)
                                 ELSE r.server_complexity END,
        client_complexity = CASE WHEN $3 <> r.server_agent THEN coalesce($6::numeric, r.client_complexity)
                                 ELSE r.client_complexity END,
        updated_at = clock_timestamp(), updated_by = $7
    WHERE r.item_id = $1 AND CASE r.state
        WHEN 'proposed' THEN $2 IN ('request_changes', 'approve', 'dispute')
            AND $3 <> r.server_agent AND coalesce(r.client_agent, $3) = $3
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
    INSERT INTO workflow.disputes
        (step_id, server_content, client_content, server_reasoning, client_reasoning, resolver)
    SELECT c.item_id, c.server_content, coalesce(c.client_content, ''),
           CASE WHEN $3 = c.server_agent THEN $5 ELSE coalesce((
               SELECT o.reasoning FROM workflow.work_review_rounds AS o
               WHERE o.item_id = c.item_id AND o.agent = c.server_agent ORDER BY o.id DESC LIMIT 1), '') END,
           CASE WHEN $3 = c.client_agent THEN $5 ELSE coalesce((
               SELECT o.reasoning FROM workflow.work_review_rounds AS o
               WHERE o.item_id = c.item_id AND o.agent = c.client_agent ORDER BY o.id DESC LIMIT 1), '') END,
           nullif($8, '')
    FROM changed AS c WHERE c.state = 'disputed'
    RETURNING id
), promoted AS (
    UPDATE workflow.work_items AS i
    SET kind = 'task', version = i.version + 1, updated_at = clock_timestamp(), updated_by = $7,
        updated_agent = $3
    FROM changed AS c, workflow.work_settings AS s
    WHERE i.id = c.item_id AND c.state = 'agreed' AND i.kind = 'step'
      AND (coalesce(c.server_complexity, c.client_complexity)
           + coalesce(c.client_complexity, c.server_complexity)) / 2 > s.complexity_threshold
    RETURNING i.id
)
SELECT c.item_id, c.state, c.iteration_count, c.max_iterations, c.final_content,
       (SELECT id FROM opened) AS dispute, EXISTS (SELECT FROM promoted) AS promoted
FROM changed AS c;

-- get_review --
-- Whose turn it is.
SELECT state, server_agent, client_agent FROM workflow.work_reviews WHERE item_id = $1;

-- resolve --
-- The end of a dispute, by somebody who is no party to it; the named resolver where there is one.
WITH settled AS (
    UPDATE workflow.disputes AS d
    SET status = 'resolved', user_resolution = $2,
        resolved_content = CASE $2 WHEN 'server' THEN d.server_content
                                   WHEN 'client' THEN d.client_content ELSE $3 END,
        resolved_at = clock_timestamp(), resolved_by = $4
    FROM workflow.work_reviews AS r
    WHERE d.step_id = $1 AND d.status = 'open' AND r.item_id = d.step_id
      AND $4 <> r.server_agent AND $4 <> r.client_agent AND coalesce(d.resolver, $4) = $4
    RETURNING d.id, d.step_id, d.resolved_content
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
    WHERE i.id = c.item_id AND i.kind = 'step'
      AND (coalesce(c.server_complexity, c.client_complexity)
           + coalesce(c.client_complexity, c.server_complexity)) / 2 > s.complexity_threshold
    RETURNING i.id
)
SELECT c.item_id, c.state, c.iteration_count, c.max_iterations, c.final_content,
       (SELECT id FROM settled) AS dispute, EXISTS (SELECT FROM promoted) AS promoted
FROM changed AS c;

-- list_disputes --
-- Disputes of a state with both sides, the oldest first.
SELECT d.id::text AS id, d.step_id AS item, i.title, d.status, d.server_content, d.client_content,
       d.server_reasoning, d.client_reasoning, d.resolver, d.user_resolution, d.resolved_content,
       d.created_at
FROM workflow.disputes AS d JOIN workflow.work_items AS i ON i.id = d.step_id
WHERE ($1 = '' OR d.status = $1)
ORDER BY d.created_at, d.id LIMIT $2;

-- get_settings --
-- What the project has set.
SELECT complexity_threshold::float8 AS complexity_threshold, max_iterations
FROM workflow.work_settings;

-- set_settings --
-- Set what is given.
UPDATE workflow.work_settings
SET complexity_threshold = coalesce($1::numeric, complexity_threshold),
    max_iterations = coalesce($2::integer, max_iterations)
RETURNING complexity_threshold::float8 AS complexity_threshold, max_iterations;
