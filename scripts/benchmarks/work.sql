-- What the work room is measured beside: plain statements, on tables with the same columns, indexes and
-- constraints and without triggers; what those write, a plain client writes by itself.

-- make_tables --
-- The tables.
CREATE SCHEMA bare;
CREATE TABLE bare.statuses (LIKE workflow.work_statuses INCLUDING ALL);
INSERT INTO bare.statuses SELECT * FROM workflow.work_statuses;
CREATE TABLE bare.items (LIKE workflow.work_items INCLUDING ALL,
    FOREIGN KEY (parent_id) REFERENCES bare.items,
    FOREIGN KEY (kind, status) REFERENCES bare.statuses);
CREATE TABLE bare.history (LIKE workflow.work_history INCLUDING ALL,
    FOREIGN KEY (item_id) REFERENCES bare.items);
CREATE TABLE bare.executions (LIKE workflow.task_executions INCLUDING ALL);
CREATE TABLE bare.patterns (LIKE workflow.estimation_patterns INCLUDING ALL);
CREATE TABLE bare.sessions (LIKE workflow.time_tracking_sessions INCLUDING ALL,
    FOREIGN KEY (execution_id) REFERENCES bare.executions);

-- create --
-- An item at the end, and its first version.
WITH changed AS (
    INSERT INTO bare.items (order_key, kind, title, description, status, category, priority, labels)
    SELECT coalesce((SELECT order_key FROM bare.items WHERE place = ''
                     ORDER BY order_key DESC LIMIT 1), 0) + 1,
           'task', $1, $2, 'pending', 'todo', $3, $4
    RETURNING *
), kept AS (
    INSERT INTO bare.history (item_id, version, operation, data, changed_by, agent, changed_at)
    SELECT id, version, 'create', to_jsonb(changed), 'bench', '', updated_at FROM changed
)
SELECT id, version FROM changed;

-- update --
-- Status and text of an item in a version, and its next version.
WITH changed AS (
    UPDATE bare.items SET status = $3, category = $4, description = $5, version = version + 1,
        updated_at = clock_timestamp()
    WHERE id = $1 AND version = $2 RETURNING *
), kept AS (
    INSERT INTO bare.history (item_id, version, operation, data, changed_by, agent, changed_at)
    SELECT id, version, 'update', to_jsonb(changed), 'bench', '', updated_at FROM changed
)
SELECT version FROM changed;

-- claim --
-- The best item, its next version, and a clock that runs.
WITH best AS (
    SELECT id FROM bare.items
    WHERE category = 'todo' AND open_blockers = 0 AND deleted_at IS NULL
    ORDER BY priority, due_at, created_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
), changed AS (
    UPDATE bare.items SET status = 'in_progress', category = 'doing', claim_epoch = claim_epoch + 1,
        claim_holder = 'bare', claimed_at = clock_timestamp(),
        claim_until = clock_timestamp() + interval '900 s', version = version + 1,
        updated_at = clock_timestamp()
    WHERE id = (SELECT id FROM best) RETURNING *
), kept AS (
    INSERT INTO bare.history (item_id, version, operation, data, changed_by, agent, changed_at)
    SELECT id, version, 'claim', to_jsonb(changed), 'bench', '', updated_at FROM changed
), clock AS (
    INSERT INTO bare.executions (work_item_id, title, kind, labels, asker)
    SELECT id, title, kind, labels, 'bench' FROM changed RETURNING id
), runs AS (
    INSERT INTO bare.sessions (execution_id, actor, expires_at)
    SELECT clock.id, 'bench', changed.claim_until FROM clock, changed
)
SELECT id, claim_epoch AS epoch FROM changed;

-- finish --
-- An item under a claim, its last version, and its clock, stopped and learnt from.
WITH changed AS (
    UPDATE bare.items SET status = 'completed', category = 'done', closed_at = clock_timestamp(),
        claim_holder = NULL, claimed_at = NULL, claim_until = NULL, version = version + 1,
        updated_at = clock_timestamp()
    WHERE id = $1 AND claim_epoch = $2 AND claim_until > clock_timestamp() RETURNING *
), kept AS (
    INSERT INTO bare.history (item_id, version, operation, data, changed_by, agent, changed_at)
    SELECT id, version, 'finish', to_jsonb(changed), 'bench', '', updated_at FROM changed
), clock AS (
    UPDATE bare.executions AS e SET status = 'finished', finished_at = clock_timestamp(),
        actual_minutes = greatest(0.001, extract(epoch FROM clock_timestamp() - e.started_at) / 60)
    FROM changed WHERE e.work_item_id = changed.id AND e.status = 'open' RETURNING e.id, e.actual_minutes
), learnt AS (
    INSERT INTO bare.patterns AS p (asker, kind, tasks, log_minutes_mean, log_minutes_m2,
                                    estimated_tasks, log_ratio_mean, log_ratio_m2)
    SELECT 'bench', 'task', 1, ln(actual_minutes), 0, 0, 0, 0 FROM clock
    ON CONFLICT (asker, kind) DO UPDATE SET tasks = p.tasks + 1,
        log_minutes_mean = p.log_minutes_mean
            + (EXCLUDED.log_minutes_mean - p.log_minutes_mean) / (p.tasks + 1)
), stops AS (
    UPDATE bare.sessions AS s SET ended_at = clock_timestamp() FROM clock
    WHERE s.execution_id = clock.id AND s.ended_at IS NULL
)
SELECT id FROM changed;

-- reopen --
-- All that was made can be claimed.
UPDATE bare.items SET status = 'pending', category = 'todo' WHERE status <> 'pending';

-- reopen_ours --
-- The same of the room.
UPDATE workflow.work_items SET status = 'pending', version = version + 1 WHERE status <> 'pending';
