-- get_recommended_estimate --
-- How long a task will take, by what was finished before a moment (NULL: now).
SELECT basis, p50_minutes, p80_minutes, p95_minutes, tasks, alike, effective, nearest
FROM workflow.get_recommended_estimate(
    $1, $2, $3::text[], $4, $5, $6, coalesce($7::timestamptz, clock_timestamp()));

-- list_nearest --
-- Finished tasks by their ids, in the order given.
SELECT e.id, e.work_item_id AS item, e.title, e.kind, e.actual_minutes AS minutes,
       e.estimated_minutes
FROM unnest($1::uuid[]) WITH ORDINALITY AS n (id, place)
JOIN workflow.task_executions AS e ON e.id = n.id
ORDER BY n.place;

-- start_clock writes --
-- The clock of a task runs; its execution. That of a work item, where no claim keeps it.
WITH allowed AS MATERIALIZED (SELECT workflow.check_clock_by_hand($1, true))
SELECT workflow.start_clock($1, $2, $3, $4::text[], $5, $6, $7) FROM allowed;

-- resume_clock writes --
-- Go on with a task that is open, where no claim keeps its clock; no row where there is none.
WITH meant AS MATERIALIZED (
    SELECT e.id, workflow.check_clock_by_hand(e.work_item_id, true)
    FROM workflow.task_executions AS e
    WHERE e.status = 'open' AND (e.id = $1 OR e.work_item_id = $2)
)
SELECT m.id FROM meant AS m WHERE workflow.run_session(m.id, $3, NULL);

-- end_execution writes --
-- Stop the clock of a task that is open, where no claim keeps it; no row where there is none.
WITH meant AS MATERIALIZED (
    SELECT e.id, workflow.check_clock_by_hand(e.work_item_id, false)
    FROM workflow.task_executions AS e
    WHERE e.status = 'open' AND (e.id = $1 OR e.work_item_id = $2)
)
SELECT m.id FROM meant AS m WHERE workflow.end_execution(m.id, $3) IS NOT NULL;

-- insert_execution --
-- A task whose time was measured elsewhere, with what was recommended for it, if anything.
INSERT INTO workflow.task_executions
    (work_item_id, title, kind, labels, complexity, asker, status, estimated_minutes,
     actual_minutes, started_at, finished_at, recommended_p50, recommended_p80, recommended_p95,
     recommended_basis)
SELECT $1, $2, $3, $4::text[], $5, $6, 'finished', $7, $8::double precision,
       least(coalesce($10, ended.at - make_interval(secs => $8::double precision * 60)), ended.at),
       ended.at, $11, $12, $13, $14
FROM (SELECT least(coalesce($9::timestamptz, clock_timestamp()), clock_timestamp()) AS at) AS ended
RETURNING id;

-- insert_factors --
-- Names of what makes tasks longer or shorter, where they are new.
INSERT INTO workflow.estimation_factors (name, created_by)
SELECT name, $2 FROM unnest($1::text[]) AS name ORDER BY name
ON CONFLICT (name) DO NOTHING;

-- insert_execution_factors --
-- Note what made a task longer or shorter.
INSERT INTO workflow.task_execution_factors (execution_id, factor)
SELECT $1, name FROM unnest($2::text[]) AS name ORDER BY name
ON CONFLICT DO NOTHING;

-- get_execution --
-- One task with its time.
SELECT e.* FROM workflow.execution_times AS e
WHERE e.timer = $1;

-- list_executions --
-- Tasks with their times, the latest begun first, from a place on.
SELECT e.* FROM workflow.execution_times AS e
WHERE ($1 = '' OR e.item = $1)
  AND (NOT $2::boolean OR e.finished_at IS NULL)
  AND ($3::timestamptz IS NULL OR (e.started_at, e.timer) < ($3::timestamptz, $4::uuid))
ORDER BY e.started_at DESC, e.timer DESC
LIMIT $5;

-- judge_executions writes --
-- Judge recommendations for finished tasks that never had one.
SELECT workflow.judge_executions($1);

-- get_accuracy --
-- How estimates of this project came out.
SELECT * FROM workflow.estimation_accuracy_by_project;

-- list_patterns --
-- How estimates of each asker and kind came out, the most frequent first.
SELECT p.asker, p.kind, p.tasks, exp(p.log_minutes_mean) AS typical_minutes, p.estimated_tasks,
       CASE WHEN p.estimated_tasks > 0 THEN exp(p.log_ratio_mean) END AS ratio,
       CASE WHEN p.estimated_tasks > 2 THEN exp(p.log_ratio_mean - margin) END AS ratio_low,
       CASE WHEN p.estimated_tasks > 2 THEN exp(p.log_ratio_mean + margin) END AS ratio_high
FROM workflow.estimation_patterns AS p
CROSS JOIN LATERAL (SELECT 1.96 * sqrt(greatest(p.log_ratio_m2, 0)
    / greatest(p.estimated_tasks - 1, 1) / greatest(p.estimated_tasks, 1)) AS margin) AS m
ORDER BY p.tasks DESC, p.asker, p.kind
LIMIT $1;

-- list_trends --
-- What was done in each week, the newest first.
SELECT * FROM workflow.task_performance_trends ORDER BY week DESC, tasks DESC, kind LIMIT $1;

-- list_factor_effects --
-- How much longer tasks with a factor took than was recommended.
SELECT factor, tasks, mean_ratio FROM workflow.estimation_factor_effects
ORDER BY tasks DESC, factor LIMIT $1;
