-- Reviews: two agents agree on a text about a work item, or a third settles it.
--
--   work_items ─── work_reviews ──< work_review_rounds      where it stands, and the way there
--                        └────────< disputes

CREATE TABLE workflow.work_settings (
    one_row              boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    complexity_threshold double precision NOT NULL DEFAULT 7 CHECK (complexity_threshold BETWEEN 0 AND 10),
    max_iterations       integer NOT NULL DEFAULT 5 CHECK (max_iterations BETWEEN 1 AND 100)
);
INSERT INTO workflow.work_settings DEFAULT VALUES;

-- A text that two agents agree on.
--
--   proposed ──request_changes──> changes_requested ──revise──> proposed
--      │  └─────────────approve────────────┬┘
--      │                                agreed ──propose──> proposed
--      └──dispute, or one change too many──> disputed ──resolve──> resolved ──propose──> proposed
--
-- The rounds are the path through these states: each may be added only where the one before leads to
-- it, by whose turn it is, and none is ever changed. The review is where the path has led since the last
-- proposal: when a transaction ends, whoever wrote, it holds what the rounds say, and there is an open
-- dispute where it is disputed. So no state is reached but by its steps, and what was agreed stays so
-- until somebody proposes anew; then the iterations begin anew as well.
CREATE TABLE workflow.work_reviews (
    item_id            text COLLATE "C" PRIMARY KEY REFERENCES workflow.work_items,
    state              text NOT NULL DEFAULT 'proposed',
    -- server: who proposes; client: who reviews.
    server_agent       text NOT NULL,
    client_agent       text,
    server_content     text NOT NULL,
    client_content     text,
    final_content      text,
    iteration_count    integer NOT NULL DEFAULT 0,
    max_iterations     integer NOT NULL,
    server_complexity  double precision,
    client_complexity  double precision,
    updated_at         workflow.moment NOT NULL DEFAULT clock_timestamp(),
    updated_by         text NOT NULL DEFAULT 'claude-code',
    CONSTRAINT valid_review_state
        CHECK (state IN ('proposed', 'changes_requested', 'agreed', 'disputed', 'resolved')),
    CONSTRAINT review_by_another CHECK (client_agent <> server_agent),
    CONSTRAINT reviewed_by_somebody CHECK (state = 'proposed' OR client_agent IS NOT NULL),
    CONSTRAINT requested_changes CHECK (state <> 'changes_requested' OR client_content IS NOT NULL),
    CONSTRAINT final_where_settled
        CHECK ((final_content IS NOT NULL) = (state IN ('agreed', 'resolved'))),
    CONSTRAINT bounded_iterations CHECK (max_iterations BETWEEN 1 AND 100),
    CONSTRAINT counted_iterations CHECK (iteration_count BETWEEN 0 AND max_iterations),
    CONSTRAINT valid_complexity CHECK (
        server_complexity BETWEEN 0 AND 10 AND client_complexity BETWEEN 0 AND 10)
);

CREATE TABLE workflow.work_review_rounds (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_id    text COLLATE "C" NOT NULL REFERENCES workflow.work_reviews,
    action     text NOT NULL,
    agent      text NOT NULL,
    content    text NOT NULL,
    reasoning  text NOT NULL,
    complexity double precision,
    created_by text NOT NULL,
    created_at workflow.moment NOT NULL DEFAULT clock_timestamp(),
    -- A dispute may rest on the text that its side has given before.
    CONSTRAINT valid_round CHECK (CASE
        WHEN action IN ('propose', 'request_changes', 'revise', 'resolve') THEN content <> ''
        WHEN action = 'approve' THEN content = ''
        ELSE action = 'dispute' END),
    CONSTRAINT round_by_somebody CHECK (agent <> ''),
    -- So that both sides and their reasons fit into one answer.
    CONSTRAINT readable_round CHECK (length(content) <= 10000 AND length(reasoning) <= 2000),
    CONSTRAINT valid_complexity CHECK (complexity BETWEEN 0 AND 10)
);
CREATE INDEX idx_work_review_rounds_item ON workflow.work_review_rounds (item_id, id);

CREATE TABLE workflow.disputes (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    step_id          text COLLATE "C" NOT NULL REFERENCES workflow.work_reviews,
    server_agent     text NOT NULL,
    client_agent     text NOT NULL,
    server_content   text NOT NULL,
    client_content   text NOT NULL,
    server_reasoning text NOT NULL,
    client_reasoning text NOT NULL,
    status           text NOT NULL DEFAULT 'open',
    -- Who alone may settle it; NULL is any third.
    resolver         text,
    user_resolution  text,
    resolved_content text,
    resolved_at      workflow.moment,
    resolved_by      text,
    created_at       workflow.moment NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT valid_dispute CHECK (
        CASE status
            WHEN 'open' THEN num_nonnulls(user_resolution, resolved_content, resolved_at, resolved_by) = 0
            WHEN 'resolved' THEN num_nulls(user_resolution, resolved_content, resolved_at, resolved_by) = 0
            ELSE false
        END),
    CONSTRAINT dispute_of_two_texts CHECK (server_content <> '' AND client_content <> ''),
    CONSTRAINT valid_resolution CHECK (user_resolution IN ('server', 'client', 'hybrid', 'own')),
    CONSTRAINT resolved_as_said CHECK (
        (user_resolution <> 'server' OR resolved_content = server_content)
        AND (user_resolution <> 'client' OR resolved_content = client_content)),
    CONSTRAINT resolver_is_a_third CHECK (resolver NOT IN (server_agent, client_agent)),
    CONSTRAINT resolved_by_the_resolver CHECK (
        resolved_by NOT IN (server_agent, client_agent) AND resolved_by = coalesce(resolver, resolved_by))
);
CREATE UNIQUE INDEX one_open_dispute ON workflow.disputes (step_id) WHERE status = 'open';
CREATE INDEX idx_disputes_step ON workflow.disputes (step_id);

-- Which state follows on which, and that the limit of a review stays until there is a new proposal.
CREATE FUNCTION workflow.check_review_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.item_id <> OLD.item_id OR NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('proposed', 'changes_requested'), ('proposed', 'agreed'), ('proposed', 'disputed'),
        ('changes_requested', 'proposed'), ('changes_requested', 'agreed'),
        ('changes_requested', 'disputed'), ('disputed', 'resolved'),
        ('agreed', 'proposed'), ('resolved', 'proposed')) THEN
        RAISE EXCEPTION 'the review is in another state' USING ERRCODE = 'UC308';
    ELSIF NEW.max_iterations <> OLD.max_iterations
        AND (NEW.state <> 'proposed' OR OLD.state NOT IN ('agreed', 'resolved')) THEN
        RAISE EXCEPTION 'the limit of a review stays while it lasts' USING ERRCODE = 'UC308';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER check_review_change BEFORE UPDATE ON workflow.work_reviews
    FOR EACH ROW EXECUTE FUNCTION workflow.check_review_change();

-- Whether a round follows on the last one, and it is the turn of its agent. Rounds of one review wait for
-- each other at its row.
CREATE FUNCTION workflow.check_review_round() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ended  workflow.work_review_rounds;
    begun  workflow.work_review_rounds;
    client text;
BEGIN
    PERFORM FROM workflow.work_reviews AS r WHERE r.item_id = NEW.item_id FOR NO KEY UPDATE;
    SELECT o.* INTO ended FROM workflow.work_review_rounds AS o
    WHERE o.item_id = NEW.item_id ORDER BY o.id DESC LIMIT 1;
    SELECT o.* INTO begun FROM workflow.work_review_rounds AS o
    WHERE o.item_id = NEW.item_id AND o.action = 'propose' ORDER BY o.id DESC LIMIT 1;
    SELECT o.agent INTO client FROM workflow.work_review_rounds AS o
    WHERE o.item_id = NEW.item_id AND o.id > begun.id AND o.agent <> begun.agent ORDER BY o.id LIMIT 1;
    IF (NEW.id < ended.id) IS TRUE OR (CASE
        WHEN NEW.action = 'propose' THEN coalesce(ended.action, 'approve') IN ('approve', 'resolve')
        WHEN NEW.action = 'resolve' THEN ended.action IN ('request_changes', 'dispute')
            AND NEW.agent NOT IN (begun.agent, client)
        WHEN ended.action IN ('propose', 'revise') THEN NEW.action <> 'revise'
            AND NEW.agent <> begun.agent AND NEW.agent = coalesce(client, NEW.agent)
        WHEN ended.action = 'request_changes' THEN NEW.agent = begun.agent
            AND NEW.action <> 'request_changes' OR NEW.agent = client AND NEW.action = 'dispute'
        ELSE false END) IS NOT TRUE THEN
        RAISE EXCEPTION 'the review is in another state' USING ERRCODE = 'UC308';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER check_review_round BEFORE INSERT ON workflow.work_review_rounds
    FOR EACH ROW EXECUTE FUNCTION workflow.check_review_round();

-- A review as its rounds since the last proposal make it; no row where there are none.
CREATE FUNCTION workflow.review_by_rounds(item text) RETURNS TABLE (
    state text, server_agent text, client_agent text, server_content text, client_content text,
    final_content text, iteration_count integer, server_complexity double precision,
    client_complexity double precision, opened integer, resolver text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH path AS (
        SELECT o.*, o.agent = b.agent AS own FROM (
            SELECT p.id, p.agent FROM workflow.work_review_rounds AS p
            WHERE p.item_id = item AND p.action = 'propose' ORDER BY p.id DESC LIMIT 1) AS b
        JOIN workflow.work_review_rounds AS o ON o.item_id = item AND o.id >= b.id
    ), said AS (
        SELECT (array_agg(p.agent ORDER BY p.id))[1] AS server,
               (array_agg(p.agent ORDER BY p.id) FILTER (WHERE NOT p.own))[1] AS client,
               (array_agg(p.content ORDER BY p.id DESC)
                   FILTER (WHERE p.own AND p.content <> ''))[1] AS server_text,
               (array_agg(p.content ORDER BY p.id DESC) FILTER (
                   WHERE NOT p.own AND p.content <> '' AND p.action <> 'resolve'))[1] AS client_text,
               (array_agg(p.complexity ORDER BY p.id DESC)
                   FILTER (WHERE p.own AND p.complexity IS NOT NULL))[1] AS server_score,
               (array_agg(p.complexity ORDER BY p.id DESC)
                   FILTER (WHERE NOT p.own AND p.complexity IS NOT NULL AND p.action <> 'resolve'))[1]
                   AS client_score,
               count(*) FILTER (WHERE p.action = 'request_changes')::integer AS iterations,
               count(*) FILTER (WHERE p.action = 'dispute')::integer AS disputes
        FROM path AS p
    )
    SELECT CASE WHEN l.action IN ('propose', 'revise') THEN 'proposed' WHEN l.action = 'approve' THEN 'agreed'
                WHEN l.action = 'resolve' THEN 'resolved' WHEN l.action = 'dispute' THEN 'disputed'
                WHEN s.iterations < r.max_iterations THEN 'changes_requested' ELSE 'disputed' END,
           s.server, s.client, s.server_text, s.client_text,
           CASE WHEN l.action = 'resolve' THEN l.content
                WHEN l.action = 'approve' AND l.own THEN s.client_text
                WHEN l.action = 'approve' THEN s.server_text END,
           s.iterations, s.server_score, s.client_score,
           s.disputes + (s.iterations >= r.max_iterations)::integer,
           CASE WHEN l.action = 'resolve' THEN l.agent END
    FROM said AS s, workflow.work_reviews AS r, (SELECT p.* FROM path AS p ORDER BY p.id DESC LIMIT 1) AS l
    WHERE r.item_id = item
$$;

-- What a side has said last. Volatile, so that it sees what became true while its statement waited.
CREATE FUNCTION workflow.last_reasoning(item text, side text) RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT o.reasoning FROM workflow.work_review_rounds AS o
    WHERE o.item_id = item AND o.agent = side ORDER BY o.id DESC LIMIT 1
$$;

-- At the end of a transaction: a review is what its rounds say, and its disputes are those that they tell.
CREATE FUNCTION workflow.hold_review() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item text := to_jsonb(NEW) ->> TG_ARGV[0];
    r    workflow.work_reviews;
    told record;
BEGIN
    SELECT * INTO r FROM workflow.work_reviews AS v WHERE v.item_id = item;
    SELECT * INTO told FROM workflow.review_by_rounds(item);
    IF (r.state, r.server_agent, r.client_agent, r.server_content, r.client_content, r.final_content,
        r.iteration_count, r.server_complexity, r.client_complexity)
        IS DISTINCT FROM (told.state, told.server_agent, told.client_agent, told.server_content,
        told.client_content, told.final_content, told.iteration_count, told.server_complexity,
        told.client_complexity)
        OR told.opened <> (r.state IN ('disputed', 'resolved'))::integer
        OR r.state IN ('disputed', 'resolved') AND NOT EXISTS (
            SELECT FROM workflow.disputes AS d
            WHERE d.step_id = item
              AND (d.server_agent, d.client_agent, d.server_content, d.client_content)
                = (r.server_agent, r.client_agent, r.server_content, r.client_content)
              AND d.server_reasoning = workflow.last_reasoning(item, r.server_agent)
              AND d.client_reasoning = workflow.last_reasoning(item, r.client_agent)
              AND CASE r.state WHEN 'disputed' THEN d.status = 'open'
                  ELSE d.resolved_content = r.final_content AND d.resolved_by = told.resolver END)
        OR (r.state = 'disputed') <> EXISTS (
            SELECT FROM workflow.disputes AS d WHERE d.step_id = item AND d.status = 'open')
        OR (SELECT count(*) FROM workflow.disputes AS d WHERE d.step_id = item AND d.status = 'resolved')
           <> (SELECT count(*) FROM workflow.work_review_rounds AS o
               WHERE o.item_id = item AND o.action = 'resolve') THEN
        RAISE EXCEPTION 'the review and its rounds and disputes do not fit' USING ERRCODE = 'UC308';
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER hold_review AFTER INSERT OR UPDATE ON workflow.work_reviews
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION workflow.hold_review('item_id');
CREATE CONSTRAINT TRIGGER hold_review AFTER INSERT ON workflow.work_review_rounds
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION workflow.hold_review('item_id');
CREATE CONSTRAINT TRIGGER hold_review AFTER INSERT OR UPDATE ON workflow.disputes
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION workflow.hold_review('step_id');

CREATE FUNCTION workflow.check_dispute_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a dispute is settled once' USING ERRCODE = 'UC308';
END
$$;

CREATE TRIGGER check_dispute_change BEFORE UPDATE ON workflow.disputes
    FOR EACH ROW WHEN (OLD.status = 'resolved') EXECUTE FUNCTION workflow.check_dispute_change();

-- What both sides think of it on the average, or the one that has said. In numeric, whose average of 0.1
-- and 0.2 is 0.15.
CREATE FUNCTION workflow.agreed_complexity(server double precision, client double precision)
RETURNS numeric LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT trim_scale((coalesce(server, client)::numeric + coalesce(client, server)::numeric) / 2)
$$;

-- A review as a reader of the item sees it: both texts while they count, then the final one; who may
-- settle it, and the reason for the last step.
CREATE FUNCTION workflow.review_of(item text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'state', r.state, 'server_agent', r.server_agent, 'client_agent', r.client_agent,
        'server_content', CASE WHEN r.final_content IS NULL THEN r.server_content END,
        'client_content', CASE WHEN r.final_content IS NULL THEN r.client_content END,
        'final_content', r.final_content, 'iterations', r.iteration_count,
        'max_iterations', r.max_iterations, 'server_complexity', r.server_complexity,
        'client_complexity', r.client_complexity,
        'resolver', (SELECT d.resolver FROM workflow.disputes AS d
                     WHERE d.step_id = r.item_id AND d.status = 'open'),
        'reasoning', (SELECT nullif(o.reasoning, '') FROM workflow.work_review_rounds AS o
                      WHERE o.item_id = r.item_id ORDER BY o.id DESC LIMIT 1)))
    FROM workflow.work_reviews AS r WHERE r.item_id = item
$$;

-- Steps with their reviews; the item before and the one after as kind:id, of whatever kind.
CREATE VIEW workflow.steps AS
SELECT i.id, i.title, i.description, i.parent_id AS task_id, p.ref AS prev_id, n.ref AS next_id,
       workflow.work_progress(i.id) AS progress, i.status, i.priority, i.assignee, i.labels,
       r.state AS review_state, r.server_content, r.client_content, r.final_content,
       coalesce(r.iteration_count, 0) AS iteration_count,
       coalesce(r.iteration_count >= r.max_iterations, false) AS max_iterations_reached,
       r.item_id IS NOT NULL AS server_ready,
       coalesce(r.state = 'agreed', false) AS client_approved,
       r.server_complexity, r.client_complexity,
       CASE WHEN r.state IN ('agreed', 'resolved') THEN c.score END AS agreed_complexity,
       c.score AS complexity_score,
       coalesce(c.score > s.complexity_threshold::numeric, false) AS should_promote,
       i.created_at, i.updated_at
FROM workflow.work_items AS i
CROSS JOIN workflow.work_settings AS s
LEFT JOIN workflow.work_reviews AS r ON r.item_id = i.id
LEFT JOIN LATERAL (
    SELECT workflow.agreed_complexity(r.server_complexity, r.client_complexity) AS score) AS c ON true
LEFT JOIN LATERAL (
    SELECT b.kind || ':' || b.id AS ref FROM workflow.work_items AS b
    WHERE b.place = i.place AND b.order_key < i.order_key AND b.deleted_at IS NULL
    ORDER BY b.order_key DESC LIMIT 1) AS p ON true
LEFT JOIN LATERAL (
    SELECT a.kind || ':' || a.id AS ref FROM workflow.work_items AS a
    WHERE a.place = i.place AND a.order_key > i.order_key AND a.deleted_at IS NULL
    ORDER BY a.order_key LIMIT 1) AS n ON true
WHERE i.kind = 'step' AND i.deleted_at IS NULL;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON workflow.work_review_rounds
    FOR EACH STATEMENT EXECUTE FUNCTION workflow.refuse_change();

GRANT SELECT, UPDATE ON workflow.work_settings TO :app;
GRANT SELECT, INSERT, UPDATE ON workflow.work_reviews TO :app;
GRANT SELECT, INSERT ON workflow.work_review_rounds TO :app;
GRANT SELECT, INSERT, UPDATE (status, user_resolution, resolved_content, resolved_at, resolved_by)
    ON workflow.disputes TO :app;
GRANT SELECT ON workflow.steps TO :app;
