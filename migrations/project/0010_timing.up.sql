-- Time: how long tasks took, and how long the next one will take.
--
--   task_executions ──< time_tracking_sessions      one task, and each stretch of work on it
--        │
--        └──< task_execution_factors >── estimation_factors    what made it longer or shorter
--   estimation_patterns                             how each asker's estimates of each kind came out
--
-- Time is active time in minutes. A session under a lease ends when the lease does, however late
-- somebody notices: what passed after the holder was lost is nobody's work.
--
-- A recommendation is a weighted quantile over the finished tasks. Each weighs by how much it is like
-- the new one: a product of kernels over asker, kind, labels, size and age (Li and Racine,
-- "Nonparametric Estimation of Conditional CDF and Quantile Functions With Mixed Categorical and
-- Continuous Data", JBES 26, 2008). Thin data needs no rule of its own: where no task is like the new
-- one, those that are less like it keep their share. The levels of P80 and P95 follow what earlier
-- recommendations came to (Gibbs and Candès, "Adaptive Conformal Inference Under Distribution
-- Shift", NeurIPS 2021).

CREATE TABLE workflow.task_executions (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- The short id of a work item; another room keeps it.
    work_item_id      text,
    title             text NOT NULL DEFAULT '',
    kind              text NOT NULL DEFAULT 'task',
    labels            text[] NOT NULL DEFAULT '{}',
    complexity        real,
    -- Who works on it, and whose the estimate is.
    asker             text NOT NULL,
    status            text NOT NULL DEFAULT 'open',
    estimated_minutes double precision,
    -- What was recommended before it began; what P80 and P95 are judged by.
    recommended_p50   double precision,
    recommended_p80   double precision,
    recommended_p95   double precision,
    recommended_basis text,
    actual_minutes    double precision,
    -- Set by calculate_execution_metrics.
    variance_minutes  double precision,
    variance_percent  double precision,
    started_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at       timestamptz,
    title_words       text[] NOT NULL
        GENERATED ALWAYS AS (tsvector_to_array(to_tsvector('simple'::regconfig, title))) STORED,
    CONSTRAINT valid_execution_status CHECK (status IN ('open', 'finished', 'abandoned')),
    CONSTRAINT valid_execution_basis CHECK (recommended_basis IN ('calibrated', 'mixed', 'past', 'own')),
    CONSTRAINT valid_execution_text CHECK (
        length(title) <= 500 AND length(kind) BETWEEN 1 AND 64 AND length(asker) <= 200
        AND length(work_item_id) BETWEEN 1 AND 200 AND cardinality(labels) <= 100),
    -- Up to ten years; the least is a fraction of a second.
    CONSTRAINT valid_execution_minutes CHECK (
        estimated_minutes BETWEEN 0.001 AND 5256000 AND actual_minutes BETWEEN 0.001 AND 5256000),
    CONSTRAINT valid_execution_complexity CHECK (complexity BETWEEN 0 AND 100),
    CONSTRAINT finished_with_its_time CHECK (
        (status = 'finished') = (actual_minutes IS NOT NULL) AND (status = 'open') = (finished_at IS NULL)),
    -- Years that every client's calendar has.
    CONSTRAINT valid_execution_times CHECK (
        started_at >= '0002-01-01 UTC' AND coalesce(finished_at, started_at) < '9999-01-01 UTC'
        AND finished_at >= started_at)
);
-- A work item has one clock, whoever holds it.
CREATE UNIQUE INDEX task_executions_open_item ON workflow.task_executions (work_item_id)
    WHERE status = 'open';
CREATE INDEX idx_task_executions_finished_at ON workflow.task_executions (finished_at, id)
    WHERE status = 'finished';
CREATE INDEX idx_task_executions_unjudged ON workflow.task_executions (finished_at, id)
    WHERE status = 'finished' AND recommended_basis IS NULL;
CREATE INDEX idx_task_executions_started_at ON workflow.task_executions (started_at, id);
CREATE INDEX idx_task_executions_item ON workflow.task_executions (work_item_id, finished_at);

CREATE TABLE workflow.time_tracking_sessions (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id uuid NOT NULL REFERENCES workflow.task_executions ON DELETE CASCADE,
    actor        text NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The end of the holder's lease; NULL where nothing ends it but a stop.
    expires_at   timestamptz,
    ended_at     timestamptz,
    minutes      double precision
        GENERATED ALWAYS AS (extract(epoch FROM ended_at - started_at)::double precision / 60) STORED,
    CONSTRAINT valid_session CHECK (
        ended_at >= started_at AND started_at >= '0002-01-01 UTC'
        AND coalesce(ended_at, started_at) < '9999-01-01 UTC'),
    CONSTRAINT within_its_lease CHECK (
        expires_at IS NULL OR ended_at <= greatest(expires_at, started_at))
);
-- Time runs once: the second start of one clock meets the first here.
CREATE UNIQUE INDEX time_tracking_sessions_running ON workflow.time_tracking_sessions (execution_id)
    WHERE ended_at IS NULL;
CREATE INDEX idx_time_tracking_sessions_execution ON workflow.time_tracking_sessions (execution_id);

CREATE TABLE workflow.estimation_patterns (
    asker            text NOT NULL,
    kind             text NOT NULL,
    tasks            integer NOT NULL,
    log_minutes_mean double precision NOT NULL,
    log_minutes_m2   double precision NOT NULL,
    -- Of them, those that had an estimate, and ln(actual / estimate) over these.
    estimated_tasks  integer NOT NULL,
    log_ratio_mean   double precision NOT NULL,
    log_ratio_m2     double precision NOT NULL,
    updated_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (asker, kind)
);
COMMENT ON TABLE workflow.estimation_patterns IS
    'Means and sums of squared deviations of logarithms, kept up with each finished task (Welford, 1962).';

CREATE TABLE workflow.estimation_factors (
    name       text PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL,
    CONSTRAINT valid_factor_name CHECK (length(name) BETWEEN 1 AND 100)
);

CREATE TABLE workflow.task_execution_factors (
    execution_id uuid NOT NULL REFERENCES workflow.task_executions ON DELETE CASCADE,
    factor       text NOT NULL REFERENCES workflow.estimation_factors ON UPDATE CASCADE ON DELETE CASCADE,
    PRIMARY KEY (execution_id, factor)
);
CREATE INDEX idx_task_execution_factors_factor ON workflow.task_execution_factors (factor);

-- Variance of a task that has just been finished.
CREATE FUNCTION workflow.calculate_execution_metrics() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.variance_minutes := NEW.actual_minutes - NEW.estimated_minutes;
    NEW.variance_percent := 100 * (NEW.actual_minutes / NEW.estimated_minutes - 1);
    RETURN NEW;
END;
$$;

CREATE TRIGGER calculate_execution_metrics
    BEFORE INSERT OR UPDATE OF actual_minutes, estimated_minutes ON workflow.task_executions
    FOR EACH ROW EXECUTE FUNCTION workflow.calculate_execution_metrics();

-- Count one more finished task in the pattern of its asker and kind.
CREATE FUNCTION workflow.update_estimation_pattern(
    asker text, kind text, actual_minutes double precision, estimated_minutes double precision
) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO workflow.estimation_patterns AS p
        (asker, kind, tasks, log_minutes_mean, log_minutes_m2, estimated_tasks, log_ratio_mean,
         log_ratio_m2)
    VALUES ($1, $2, 1, ln($3), 0, ($4 IS NOT NULL)::int, coalesce(ln($3 / $4), 0), 0)
    ON CONFLICT ON CONSTRAINT estimation_patterns_pkey DO UPDATE SET
        tasks = p.tasks + 1,
        log_minutes_mean = p.log_minutes_mean + (ln($3) - p.log_minutes_mean) / (p.tasks + 1),
        log_minutes_m2 = p.log_minutes_m2
            + (ln($3) - p.log_minutes_mean) ^ 2 * p.tasks / (p.tasks + 1),
        estimated_tasks = p.estimated_tasks + EXCLUDED.estimated_tasks,
        log_ratio_mean = p.log_ratio_mean
            + coalesce((ln($3 / $4) - p.log_ratio_mean) / (p.estimated_tasks + 1), 0),
        log_ratio_m2 = p.log_ratio_m2 + coalesce(
            (ln($3 / $4) - p.log_ratio_mean) ^ 2 * p.estimated_tasks / (p.estimated_tasks + 1), 0),
        updated_at = clock_timestamp()
$$;

-- Take one finished task out of the pattern again: the same step backwards.
CREATE FUNCTION workflow.reduce_estimation_pattern(
    asker text, kind text, actual_minutes double precision, estimated_minutes double precision
) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE workflow.estimation_patterns AS p SET
        tasks = p.tasks - 1,
        log_minutes_mean = coalesce(b.minutes_mean, 0),
        log_minutes_m2 = coalesce(greatest(0, p.log_minutes_m2
            - (ln($3) - b.minutes_mean) ^ 2 * (p.tasks - 1) / p.tasks), 0),
        estimated_tasks = p.estimated_tasks - ($4 IS NOT NULL)::int,
        log_ratio_mean = coalesce(b.ratio_mean, 0),
        log_ratio_m2 = CASE WHEN $4 IS NULL THEN p.log_ratio_m2 ELSE coalesce(greatest(0, p.log_ratio_m2
            - (ln($3 / $4) - b.ratio_mean) ^ 2 * (p.estimated_tasks - 1) / p.estimated_tasks), 0) END,
        updated_at = clock_timestamp()
    FROM (
        -- The means without it.
        SELECT o.log_minutes_mean - (ln($3) - o.log_minutes_mean) / nullif(o.tasks - 1, 0) AS minutes_mean,
               CASE WHEN $4 IS NULL THEN o.log_ratio_mean
                    ELSE o.log_ratio_mean - (ln($3 / $4) - o.log_ratio_mean)
                         / nullif(o.estimated_tasks - 1, 0) END AS ratio_mean
        FROM workflow.estimation_patterns AS o WHERE o.asker = $1 AND o.kind = $2 FOR UPDATE
    ) AS b
    WHERE p.asker = $1 AND p.kind = $2;
    DELETE FROM workflow.estimation_patterns AS p WHERE p.asker = $1 AND p.kind = $2 AND p.tasks <= 0
$$;

CREATE FUNCTION workflow.count_finished_execution() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.status = 'finished' THEN
        PERFORM workflow.update_estimation_pattern(
            NEW.asker, NEW.kind, NEW.actual_minutes, NEW.estimated_minutes);
    ELSE
        PERFORM workflow.reduce_estimation_pattern(
            OLD.asker, OLD.kind, OLD.actual_minutes, OLD.estimated_minutes);
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER count_inserted_execution AFTER INSERT ON workflow.task_executions
    FOR EACH ROW WHEN (NEW.status = 'finished')
    EXECUTE FUNCTION workflow.count_finished_execution();
CREATE TRIGGER count_finished_execution AFTER UPDATE OF status ON workflow.task_executions
    FOR EACH ROW WHEN ((NEW.status = 'finished') <> (OLD.status = 'finished'))
    EXECUTE FUNCTION workflow.count_finished_execution();

-- What was measured is not rewritten: a finished task keeps its time. But where its work item is opened
-- again, so is the task: it goes on, and its time counts once.
CREATE FUNCTION workflow.keep_execution() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.status = 'open' AND NEW.estimated_minutes IS NOT DISTINCT FROM OLD.estimated_minutes
       AND (NEW.asker, NEW.kind) = (OLD.asker, OLD.kind)
       AND EXISTS (SELECT FROM workflow.work_items AS i WHERE i.id = OLD.work_item_id AND i.is_open)
       AND EXISTS (SELECT FROM workflow.time_tracking_sessions AS s WHERE s.execution_id = OLD.id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a finished task keeps its time' USING ERRCODE = 'integrity_constraint_violation';
END;
$$;

CREATE TRIGGER keep_execution
    BEFORE UPDATE OF status, actual_minutes, estimated_minutes, asker, kind, finished_at
    ON workflow.task_executions
    FOR EACH ROW WHEN (OLD.status <> 'open') EXECUTE FUNCTION workflow.keep_execution();

-- What the two of a review agreed on as a work item's complexity.
CREATE FUNCTION workflow.agreed_complexity(item text) RETURNS real
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ((coalesce(r.server_complexity, r.client_complexity)
             + coalesce(r.client_complexity, r.server_complexity)) / 2)::real
    FROM workflow.work_reviews AS r WHERE r.item_id = item AND r.state IN ('agreed', 'resolved')
$$;

-- End the running session of a task, at the latest when its lease ended.
CREATE FUNCTION workflow.end_session(execution uuid) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE workflow.time_tracking_sessions
    SET ended_at = greatest(started_at, least(clock_timestamp(), expires_at))
    WHERE execution_id = execution AND ended_at IS NULL
$$;

-- Minutes of active time of a task so far.
CREATE FUNCTION workflow.active_minutes(execution uuid) RETURNS double precision
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(coalesce(s.minutes, greatest(0, date_part('epoch',
        least(statement_timestamp(), s.expires_at) - s.started_at) / 60))), 0)
    FROM workflow.time_tracking_sessions AS s WHERE s.execution_id = execution
$$;

-- A session of a task for an actor from now on; the one that runs for it goes on. False where the
-- task is not open any more.
CREATE FUNCTION workflow.run_session(execution uuid, actor text, expires_at timestamptz)
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Under the row of the task, which every way to its sessions locks first.
    PERFORM FROM workflow.task_executions AS e
    WHERE e.id = execution AND e.status = 'open' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- Where no lease is named, the one that there is holds on.
    UPDATE workflow.time_tracking_sessions AS s
    SET expires_at = coalesce(run_session.expires_at, s.expires_at)
    WHERE s.execution_id = execution AND s.ended_at IS NULL AND s.actor = run_session.actor
      AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp());
    IF NOT FOUND THEN
        PERFORM workflow.end_session(execution);
        INSERT INTO workflow.time_tracking_sessions (execution_id, actor, expires_at)
        VALUES (execution, run_session.actor, run_session.expires_at);
    END IF;
    RETURN true;
END;
$$;

-- The clock of a work item runs from now on for an actor; its execution. What ran for another ends.
-- `expires_at` is the end of the actor's lease. What is empty or NULL leaves what was known before. For
-- the transaction that claims the item.
CREATE FUNCTION workflow.start_clock(
    item text, kind text, title text, labels text[], complexity real,
    estimate_minutes double precision, actor text, expires_at timestamptz DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    execution uuid;
    known boolean;
BEGIN
    INSERT INTO workflow.task_executions AS e
        (work_item_id, kind, title, labels, complexity, estimated_minutes, asker)
    -- Labels in the order in which they are compared.
    VALUES (item, coalesce(nullif(start_clock.kind, ''), 'task'), start_clock.title,
            ARRAY(SELECT DISTINCT unnest(start_clock.labels) COLLATE "C" ORDER BY 1),
            start_clock.complexity, estimate_minutes, actor)
    ON CONFLICT (work_item_id) WHERE status = 'open' DO UPDATE SET
        title = coalesce(nullif(EXCLUDED.title, ''), e.title),
        kind = coalesce(nullif(start_clock.kind, ''), e.kind),
        labels = coalesce(nullif(EXCLUDED.labels, '{}'), e.labels),
        complexity = coalesce(EXCLUDED.complexity, e.complexity), asker = EXCLUDED.asker,
        estimated_minutes = coalesce(EXCLUDED.estimated_minutes, e.estimated_minutes)
    RETURNING e.id, e.xmax <> 0 INTO execution, known;
    IF known THEN
        PERFORM workflow.run_session(execution, actor, expires_at);
    ELSE
        INSERT INTO workflow.time_tracking_sessions (execution_id, actor, expires_at)
        VALUES (execution, actor, start_clock.expires_at);
    END IF;
    RETURN execution;
END;
$$;

-- The holder's lease of a work item lasts longer; whether its clock was still running.
CREATE FUNCTION workflow.extend_clock(item text, expires_at timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    execution uuid;
BEGIN
    SELECT e.id INTO execution FROM workflow.task_executions AS e
    WHERE e.work_item_id = item AND e.status = 'open' FOR UPDATE;
    UPDATE workflow.time_tracking_sessions AS s SET expires_at = extend_clock.expires_at
    WHERE s.execution_id = execution AND s.ended_at IS NULL AND s.expires_at > clock_timestamp();
    RETURN FOUND;
END;
$$;

-- Stop the clock of a task; minutes of active time in all, NULL where it is not open any more.
-- `outcome`: paused (given back, to go on later), finished, or abandoned (never to be learned from).
-- `estimate`, and what a review agreed on, where they were said only after the clock began.
CREATE FUNCTION workflow.end_execution(
    execution uuid, outcome text, estimate double precision DEFAULT NULL
) RETURNS double precision
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    active double precision;
BEGIN
    PERFORM FROM workflow.task_executions AS e
    WHERE e.id = execution AND e.status = 'open' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM workflow.end_session(execution);
    active := workflow.active_minutes(execution);
    IF outcome <> 'paused' THEN
        UPDATE workflow.task_executions AS e
        SET status = outcome, finished_at = clock_timestamp(),
            actual_minutes = CASE WHEN outcome = 'finished' THEN greatest(active, 0.001) END,
            estimated_minutes = coalesce(e.estimated_minutes, estimate),
            complexity = coalesce(e.complexity, workflow.agreed_complexity(e.work_item_id))
        WHERE e.id = execution;
    END IF;
    RETURN active;
END;
$$;

-- The same for a work item; NULL where it has no clock.
CREATE FUNCTION workflow.stop_clock(
    item text, outcome text DEFAULT 'finished', estimate double precision DEFAULT NULL
) RETURNS double precision
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT workflow.end_execution(e.id, outcome, estimate)
            FROM workflow.task_executions AS e WHERE e.work_item_id = item AND e.status = 'open');
END;
$$;

-- A closed work item is opened again: the clock that it had stands still, and may run on.
CREATE FUNCTION workflow.reopen_clock(item text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE workflow.task_executions AS e SET status = 'open', finished_at = NULL, actual_minutes = NULL
    WHERE e.id = (SELECT o.id FROM workflow.task_executions AS o
                  WHERE o.work_item_id = item
                    AND EXISTS (SELECT FROM workflow.time_tracking_sessions AS s WHERE s.execution_id = o.id)
                  ORDER BY o.finished_at DESC NULLS FIRST, o.id LIMIT 1)
      AND e.status <> 'open'
$$;

-- Hold a work item while its clock is moved by hand. Raises UC401 while a claim keeps the clock; where it
-- shall run (`starts`), UC402 for an item that is closed and UC403 for one that does not exist.
CREATE FUNCTION workflow.check_clock_by_hand(item text, starts boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_item record;
BEGIN
    SELECT i.is_open, i.claim_until > clock_timestamp() AS held INTO found_item
    FROM workflow.work_items AS i WHERE i.id = item FOR SHARE;
    IF found_item.held THEN
        RAISE EXCEPTION 'the claim keeps this clock' USING ERRCODE = 'UC401';
    ELSIF starts AND NOT found_item.is_open THEN
        RAISE EXCEPTION 'the item is closed' USING ERRCODE = 'UC402';
    ELSIF starts AND item IS NOT NULL AND found_item IS NULL THEN
        RAISE EXCEPTION 'there is no such item' USING ERRCODE = 'UC403';
    END IF;
END;
$$;

-- How long a task will take, in minutes, by the 5,000 tasks last finished before `as_of`: older ones
-- would weigh next to nothing, and reading them takes time.
--
-- basis     calibrated: quantiles of actual / estimate of past tasks, times the asker's own estimate;
--           mixed: the same, and what past tasks without an estimate took: where few estimates are
--           like it, these fill up to the worth of four tasks, each discounted alike (a power prior;
--           Ibrahim and Chen, "Power Prior Distributions for Regression Models", Stat. Sci. 15, 2000);
--           past: quantiles of what past tasks took; own: the asker's estimate, and nothing to
--           compare it with; none: nothing at all.
-- tasks     past tasks it rests on; alike: of them, those of the same asker and kind
-- effective how many tasks of equal weight would tell as much (Kish, 1965)
--
-- A quantile is told where there can be one: P80 from 4 tasks on, P95 from 19 (a split conformal
-- bound needs n ≥ p (n + 1); Vovk et al., 2005).
CREATE FUNCTION workflow.get_recommended_estimate(
    title text, kind text DEFAULT '', labels text[] DEFAULT '{}', complexity real DEFAULT NULL,
    own_minutes double precision DEFAULT NULL, asker text DEFAULT '',
    as_of timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (
    basis text, p50_minutes double precision, p80_minutes double precision,
    p95_minutes double precision, tasks integer, alike integer, effective double precision,
    nearest uuid[]
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
    -- Found on the earlier half of the SiP data set; the figures hardly move when these do.
    other_asker     CONSTANT double precision := ln(0.25);
    other_kind      CONSTANT double precision := ln(0.3);
    other_labels    CONSTANT double precision := ln(0.5);
    same_title      CONSTANT double precision := 4;
    half_life       CONSTANT double precision := ln(2) / (365.25 * 86400);
    titles_compared CONSTANT integer := 300;
    patience        CONSTANT double precision := 0.005;
    -- Minutes are told to a hundredth: many tasks take exactly what was recommended.
    told_to         CONSTANT double precision := 0.005;
    -- Estimates of tasks just like it, that leave no room for those without.
    enough          CONSTANT double precision := 4;
    -- A task that weighs less than this share of the likest one is left out.
    least           CONSTANT double precision := ln(0.000001);

    my_kind text := get_recommended_estimate.kind;
    my_asker text := get_recommended_estimate.asker;
    my_labels text[] := ARRAY(
        SELECT DISTINCT unnest(get_recommended_estimate.labels) COLLATE "C" ORDER BY 1);
    -- What no task can have counts as not given.
    my_complexity real := CASE WHEN get_recommended_estimate.complexity BETWEEN 0 AND 100
                               THEN get_recommended_estimate.complexity END;
    own double precision := CASE WHEN own_minutes BETWEEN 0.001 AND 5256000 THEN own_minutes END;
    moment timestamptz := least(as_of, clock_timestamp());
    my_words text[] := tsvector_to_array(to_tsvector('simple'::regconfig, get_recommended_estimate.title));
    -- NULL where there is no estimate to compare it with.
    size double precision;
    known integer;
    -- Whether some tasks have an estimate and others have none.
    mixed boolean;
    band double precision;
    level80 double precision;
    level95 double precision;
    since timestamptz;
BEGIN
    SELECT coalesce((SELECT e.finished_at FROM workflow.task_executions AS e
                     WHERE e.status = 'finished' AND e.finished_at < moment
                     ORDER BY e.finished_at DESC OFFSET 4999 LIMIT 1), '-infinity') INTO since;
    IF EXISTS (SELECT FROM workflow.task_executions AS e
               WHERE e.status = 'finished' AND e.finished_at < moment AND e.finished_at >= since
                 AND e.estimated_minutes IS NOT NULL) THEN
        size := ln(own);
    END IF;
    SELECT count(*), size IS NOT NULL AND count(e.estimated_minutes) < count(*),
           -- Silverman's rule of thumb (1986); it narrows as experience grows.
           1.06 * greatest(coalesce(stddev_pop(ln(e.estimated_minutes)), 0), 0.2)
               * greatest(count(e.estimated_minutes), 1) ^ -0.2,
           -- By recommendations that were made in the same way.
           0.8 + patience * sum(CASE WHEN e.actual_minutes > e.recommended_p80 + told_to THEN 0.8::double precision
                                     WHEN e.recommended_p80 IS NOT NULL THEN -0.2 END)
               FILTER (WHERE (e.recommended_basis = 'past') = (size IS NULL)),
           0.95 + patience * sum(CASE WHEN e.actual_minutes > e.recommended_p95 + told_to THEN 0.95::double precision
                                      WHEN e.recommended_p95 IS NOT NULL THEN -0.05 END)
               FILTER (WHERE (e.recommended_basis = 'past') = (size IS NULL))
    INTO known, mixed, band, level80, level95
    FROM workflow.task_executions AS e
    WHERE e.status = 'finished' AND e.finished_at < moment AND e.finished_at >= since;
    level80 := greatest(0.5, least(0.98, coalesce(level80, 0.8)));
    level95 := greatest(0.8, least(0.995, coalesce(level95, 0.95)));
    IF known = 0 THEN
        RETURN QUERY SELECT CASE WHEN own IS NULL THEN 'none' ELSE 'own' END, own,
            NULL::double precision, NULL::double precision, 0, 0, 0::double precision, '{}'::uuid[];
        RETURN;
    END IF;
    RETURN QUERY
    WITH past AS MATERIALIZED (
        SELECT p.id, p.kind = my_kind AND p.asker = my_asker AS alike,
               size IS NULL OR p.estimated_minutes IS NOT NULL AS counts,
               CASE WHEN size IS NULL THEN ln(p.actual_minutes)
                    ELSE ln(p.actual_minutes / coalesce(p.estimated_minutes, own)) END AS value,
               CASE WHEN p.asker = my_asker THEN 0 ELSE other_asker END
               + CASE WHEN p.kind = my_kind OR my_kind = '' THEN 0 ELSE other_kind END
               + CASE WHEN p.labels = my_labels OR my_labels = '{}' THEN 0
                      WHEN p.labels && my_labels THEN other_labels / 2 ELSE other_labels END
               + CASE WHEN my_complexity IS NULL THEN 0
                      ELSE -0.5 * least(coalesce(p.complexity - my_complexity, 2) / 2, 6) ^ 2 END
               + coalesce(-0.5 * ((ln(p.estimated_minutes) - size) / band) ^ 2, 0)
               - half_life * date_part('epoch', moment - p.finished_at)
               AS log_weight
        FROM workflow.task_executions AS p
        WHERE p.status = 'finished' AND p.finished_at < moment AND p.finished_at >= since
    ), room AS MATERIALIZED (
        -- What each of those without an estimate counts for.
        SELECT least(1, (enough - coalesce(sum(f.worth) FILTER (WHERE f.counts), 0))
                        / nullif(sum(f.worth) FILTER (WHERE NOT f.counts), 0)) AS discount
        FROM (SELECT o.counts, exp(greatest(o.log_weight, -50)) AS worth FROM past AS o WHERE mixed) AS f
    ), pool AS MATERIALIZED (
        SELECT q.*, row_number() OVER (ORDER BY q.log_weight DESC) AS place
        FROM (SELECT o.id, o.alike, o.counts, o.value,
                     o.log_weight + CASE WHEN o.counts THEN 0 ELSE ln(r.discount) END AS log_weight
              FROM past AS o CROSS JOIN room AS r WHERE o.counts OR r.discount > 0) AS q
    ), near AS MATERIALIZED (
        -- Titles are compared for those that are like it in everything else; words in common
        -- over words in all (Jaccard).
        SELECT c.id, c.alike, c.counts, c.value, c.log_weight + same_title * t.common
                   / greatest(cardinality(e.title_words) + cardinality(my_words) - t.common, 1)
               AS log_weight
        FROM (SELECT * FROM pool WHERE pool.place <= titles_compared) AS c
        -- One by one: a join would read all of the table.
        CROSS JOIN LATERAL (SELECT e.title_words FROM workflow.task_executions AS e
                            WHERE e.id = c.id OFFSET 0) AS e
        CROSS JOIN LATERAL (SELECT count(*) AS common FROM unnest(e.title_words) AS w
                            WHERE w = ANY (my_words)) AS t
    ), weighed AS MATERIALIZED (
        SELECT w.value, w.alike, w.counts, exp(w.log_weight - m.most) AS weight
        FROM (SELECT n.value, n.alike, n.counts, n.log_weight FROM near AS n
              UNION ALL
              SELECT p.value, p.alike, p.counts, p.log_weight FROM pool AS p
              WHERE p.place > titles_compared) AS w
        CROSS JOIN (SELECT max(log_weight) AS most FROM near) AS m
        WHERE w.log_weight - m.most > least
    ), total AS MATERIALIZED (
        SELECT sum(weight) AS weight, sum(weight) ^ 2 / sum(weight ^ 2) AS effective,
               count(*)::int AS tasks, count(*) FILTER (WHERE alike)::int AS alike,
               CASE WHEN size IS NULL OR NOT bool_or(counts) THEN 'past'
                    WHEN bool_and(counts) THEN 'calibrated' ELSE 'mixed' END AS basis
        FROM weighed
    ), believed AS (
        SELECT value, weight FROM weighed
        UNION ALL
        -- The asker's own word counts as one task that took as long as was said.
        SELECT 0, t.weight / t.effective FROM total AS t WHERE t.basis <> 'past'
    ), steps AS (
        -- To a hundredth: a sort of them all would take as long as the rest.
        SELECT min(b.value) AS value, sum(b.weight) AS weight
        FROM believed AS b GROUP BY round(b.value * 100)
    ), sums AS (
        SELECT s.value, sum(s.weight) OVER (ORDER BY s.value) AS upto,
               sum(s.weight) OVER () * (1 - 1e-9) AS whole
        FROM steps AS s
    ), quantiles AS (
        SELECT min(s.value) FILTER (WHERE s.upto >= s.whole * 0.5) AS p50,
               min(s.value) FILTER (WHERE s.upto >= s.whole * level80) AS p80,
               min(s.value) FILTER (WHERE s.upto >= s.whole * level95) AS p95
        FROM sums AS s
    )
    SELECT t.basis,
           exp(q.p50 + coalesce(size, 0)),
           CASE WHEN t.tasks >= 4 THEN exp(q.p80 + coalesce(size, 0)) END,
           CASE WHEN t.tasks >= 19 THEN exp(q.p95 + coalesce(size, 0)) END,
           t.tasks, t.alike, t.effective,
           ARRAY(SELECT n.id FROM near AS n ORDER BY n.log_weight DESC, n.id LIMIT 5)
    FROM quantiles AS q CROSS JOIN total AS t;
END;
$$;

-- Judge recommendations for finished tasks that never had one: what would have been recommended
-- when each began, by what was known then. The newest `most` of them; how many.
CREATE FUNCTION workflow.judge_executions(most integer) RETURNS integer
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH picked AS MATERIALIZED (
        SELECT e.id, r.* FROM (
            SELECT * FROM workflow.task_executions AS u
            WHERE u.status = 'finished' AND u.recommended_basis IS NULL
            ORDER BY u.finished_at DESC, u.id DESC LIMIT most FOR UPDATE SKIP LOCKED) AS e
        CROSS JOIN LATERAL workflow.get_recommended_estimate(
            e.title, e.kind, e.labels, e.complexity, e.estimated_minutes, e.asker, e.started_at) AS r
    ), judged AS (
        UPDATE workflow.task_executions AS e
        SET recommended_p50 = p.p50_minutes, recommended_p80 = p.p80_minutes,
            recommended_p95 = p.p95_minutes,
            recommended_basis = CASE p.basis WHEN 'none' THEN 'own' ELSE p.basis END
        FROM picked AS p WHERE e.id = p.id
        RETURNING e.id
    )
    SELECT count(*)::int FROM judged
$$;

-- By the time of the statement: a clock that moves during it would keep an ORDER BY from the indexes.
CREATE VIEW workflow.execution_times AS
SELECT e.id AS timer, e.work_item_id AS item, e.title, e.kind, e.labels, e.complexity, e.asker,
       CASE WHEN e.status <> 'open' THEN e.status
            WHEN EXISTS (SELECT FROM workflow.time_tracking_sessions AS s
                         WHERE s.execution_id = e.id AND s.ended_at IS NULL
                           AND (s.expires_at IS NULL OR s.expires_at > statement_timestamp()))
            THEN 'running' ELSE 'paused' END AS status,
       coalesce(e.actual_minutes, workflow.active_minutes(e.id)) AS minutes, e.estimated_minutes,
       e.recommended_p50 AS recommended_minutes, e.variance_percent, e.started_at, e.finished_at
FROM workflow.task_executions AS e;
COMMENT ON VIEW workflow.execution_times IS
    'Tasks with their active time. One whose holder''s lease is over is paused.';

CREATE VIEW workflow.estimation_accuracy_by_project AS
SELECT regexp_replace(current_database(), '^project_', '') AS project,
       count(*)::int AS tasks,
       count(estimated_minutes)::int AS estimated_tasks,
       exp(avg(ln(actual_minutes / estimated_minutes))) AS mean_ratio,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(variance_percent)) AS median_error_percent,
       percentile_cont(0.5) WITHIN GROUP (
           ORDER BY 100 * abs(recommended_p50 / actual_minutes - 1)) AS recommended_error_percent,
       100 * avg((actual_minutes <= recommended_p80 + 0.005)::int)::double precision AS within_p80_percent,
       100 * avg((actual_minutes <= recommended_p95 + 0.005)::int)::double precision AS within_p95_percent
FROM workflow.task_executions
WHERE status = 'finished';
COMMENT ON VIEW workflow.estimation_accuracy_by_project IS
    'One row: a database is one project''s. mean_ratio is the geometric mean of actual / estimate.';

CREATE VIEW workflow.task_performance_trends AS
SELECT date_trunc('week', finished_at, 'UTC') AS week, kind, count(*)::int AS tasks,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY actual_minutes) AS median_minutes,
       sum(actual_minutes) AS total_minutes,
       exp(avg(ln(actual_minutes / estimated_minutes))) AS mean_ratio,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(variance_percent)) AS median_error_percent
FROM workflow.task_executions
WHERE status = 'finished'
GROUP BY 1, 2;

CREATE VIEW workflow.estimation_factor_effects AS
SELECT f.factor, count(*)::int AS tasks,
       exp(avg(ln(e.actual_minutes / e.recommended_p50))) AS mean_ratio
FROM workflow.task_execution_factors AS f
JOIN workflow.task_executions AS e ON e.id = f.execution_id AND e.status = 'finished'
GROUP BY f.factor;
COMMENT ON VIEW workflow.estimation_factor_effects IS
    'How much longer tasks with a factor took than was recommended: the geometric mean.';

-- The clock of a work item runs while somebody holds it.
CREATE FUNCTION workflow.keep_work_time() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    closes constant boolean := NEW.category IN ('done', 'dropped');
    closed constant boolean := OLD.category IN ('done', 'dropped');
BEGIN
    IF closed AND NEW.is_open THEN
        PERFORM workflow.reopen_clock(NEW.id);
    END IF;
    IF closes AND NOT closed THEN
        PERFORM workflow.stop_clock(
            NEW.id, CASE NEW.category WHEN 'done' THEN 'finished' ELSE 'abandoned' END,
            NEW.estimate_minutes);
    ELSIF NEW.claim_epoch > OLD.claim_epoch THEN
        -- Within the limits of a clock, so that these never keep an item from being claimed.
        PERFORM workflow.start_clock(
            NEW.id, NEW.kind, NEW.title, NEW.labels[1:100], workflow.agreed_complexity(NEW.id),
            NEW.estimate_minutes, left(NEW.updated_by, 200), NEW.claim_until);
    ELSIF NEW.claim_holder IS NOT NULL THEN
        PERFORM workflow.extend_clock(NEW.id, NEW.claim_until);
    ELSIF OLD.claim_holder IS NOT NULL OR NEW.category <> 'doing' THEN
        PERFORM workflow.stop_clock(NEW.id, 'paused');
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER keep_work_time AFTER UPDATE ON workflow.work_items
    FOR EACH ROW WHEN (NEW.claim_until IS DISTINCT FROM OLD.claim_until
                       OR NEW.claim_epoch <> OLD.claim_epoch OR NEW.category <> OLD.category)
    EXECUTE FUNCTION workflow.keep_work_time();

GRANT SELECT, INSERT, UPDATE ON workflow.task_executions, workflow.time_tracking_sessions TO :app;
GRANT SELECT, INSERT ON workflow.estimation_factors, workflow.task_execution_factors TO :app;
GRANT SELECT ON workflow.estimation_patterns, workflow.estimation_accuracy_by_project,
    workflow.task_performance_trends, workflow.estimation_factor_effects,
    workflow.execution_times TO :app;
REVOKE ALL ON FUNCTION workflow.count_finished_execution(),
    workflow.update_estimation_pattern(text, text, double precision, double precision),
    workflow.reduce_estimation_pattern(text, text, double precision, double precision) FROM PUBLIC;
