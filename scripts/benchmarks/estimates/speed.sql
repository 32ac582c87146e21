-- insert_executions --
-- Finished tasks of ten askers and six kinds, one an hour; the times are log-normal.
INSERT INTO workflow.task_executions
    (title, kind, labels, complexity, asker, status, estimated_minutes, actual_minutes,
     started_at, finished_at)
SELECT 'Bring part ' || n % 97 || ' of the ' || (ARRAY['gateway', 'client', 'store'])[1 + n % 3]
           || ' in line with policy ' || n % 13,
       (ARRAY['bug', 'feature', 'chore', 'docs', 'test', 'release'])[1 + n % 6],
       (ARRAY['{network}', '{network,core}', '{core}', '{}'])[1 + n % 4]::text[],
       1 + n % 10, 'asker-' || n % 10, 'finished',
       60 * exp(random_normal(0, 1)), 40 * exp(random_normal(0, 1)),
       now() - make_interval(hours => $1::int - n, mins => 30),
       now() - make_interval(hours => $1::int - n)
FROM generate_series(1, $1::int) AS n;

-- analyze_executions --
-- Let the planner know of them.
ANALYZE workflow.task_executions;

-- sum_minutes --
-- One look at each.
SELECT sum(actual_minutes) FROM workflow.task_executions WHERE status = 'finished';
