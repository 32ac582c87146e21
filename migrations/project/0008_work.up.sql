-- Work: what is to be done, as one tree; who is at it; what must come first.
--
--   work_kinds ──< work_statuses ──< work_transitions      what a kind may be, and become
--        │
--   work_items ──< work_history      the tree, and every version of each item
--        ├──< work_links             blocks, relates, duplicates, discovered_from
--        └──< comments
--
-- Three promises stand here, whoever writes:
--   * Nothing waits for itself. Before a link or a place in the tree changes, the one row of work_graph
--     is updated; only then is it looked whether a circle would close. So of two changes that close one
--     together, the second sees the first.
--   * open_blockers counts what an item waits for: its own open blockers, and one more while its parent
--     waits. A link locks its source before it counts, and closing the source updates that row: one
--     of them sees the other.
--   * An item that is open has an open parent. Who opens, adds or moves holds the parent with FOR SHARE;
--     who closes the parent looks for open children after it has the parent's row.
-- Nobody waits in a circle either: who locks more than one item has locked the row of work_graph first.
-- Who finds out too late that it takes more than one does not wait for that row, but fails with
-- serialization_failure, and tries again.
-- A claim is an epoch and a time: whoever writes under it names the epoch, and both are conditions of
-- the very UPDATE. A new claim has the next epoch, and none that is over is prolonged. Only PostgreSQL's
-- clock counts.

-- Times that every client can read.
CREATE DOMAIN workflow.moment AS timestamptz
    CONSTRAINT valid_moment CHECK (VALUE > '0001-01-02 00:00Z' AND VALUE < '9999-12-30 00:00Z');

CREATE TABLE workflow.work_graph (
    one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    changes bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO workflow.work_graph DEFAULT VALUES;

CREATE TABLE workflow.work_kinds (
    name        text PRIMARY KEY,
    description text NOT NULL DEFAULT '',
    created_by  text NOT NULL DEFAULT 'undercroft',
    CONSTRAINT valid_work_kind CHECK (name ~ '^[a-z][a-z0-9_]{0,47}$')
);

CREATE TABLE workflow.work_statuses (
    kind     text NOT NULL REFERENCES workflow.work_kinds ON DELETE CASCADE,
    status   text NOT NULL,
    -- What it means to the rules: may be started; somebody is at it; shall wait; done; given up.
    category text NOT NULL,
    -- The first of a category is the one that a claim, or finishing, goes to.
    place    smallint NOT NULL,
    PRIMARY KEY (kind, status),
    UNIQUE (kind, place),
    CONSTRAINT valid_work_status CHECK (status ~ '^[a-z][a-z0-9_]{0,47}$'),
    CONSTRAINT valid_work_category
        CHECK (category IN ('todo', 'doing', 'paused', 'done', 'dropped'))
);

CREATE TABLE workflow.work_transitions (
    kind        text NOT NULL,
    from_status text NOT NULL,
    to_status   text NOT NULL,
    PRIMARY KEY (kind, from_status, to_status),
    FOREIGN KEY (kind, from_status) REFERENCES workflow.work_statuses ON DELETE CASCADE,
    FOREIGN KEY (kind, to_status) REFERENCES workflow.work_statuses ON DELETE CASCADE
);

INSERT INTO workflow.work_kinds (name, description) VALUES
    ('epic', 'A large aim, made of issues'),
    ('issue', 'Something that is wrong or wanted'),
    ('task', 'A piece of work for one'),
    ('step', 'A part of a task, agreed on by two');
INSERT INTO workflow.work_statuses (kind, status, category, place)
SELECT k.name, s.status, s.category, s.place
FROM workflow.work_kinds AS k, (VALUES
    ('pending', 'todo', 1), ('in_progress', 'doing', 2), ('in_review', 'doing', 3),
    ('deferred', 'paused', 4), ('completed', 'done', 5), ('cancelled', 'dropped', 6)
) AS s (status, category, place);
INSERT INTO workflow.work_transitions (kind, from_status, to_status)
SELECT k.name, t.source, t.target
FROM workflow.work_kinds AS k, (VALUES
    ('pending', 'in_progress'), ('pending', 'in_review'), ('pending', 'deferred'),
    ('pending', 'completed'), ('pending', 'cancelled'),
    ('in_progress', 'pending'), ('in_progress', 'in_review'), ('in_progress', 'deferred'),
    ('in_progress', 'completed'), ('in_progress', 'cancelled'),
    ('in_review', 'pending'), ('in_review', 'in_progress'), ('in_review', 'completed'),
    ('in_review', 'cancelled'),
    ('deferred', 'pending'), ('deferred', 'in_progress'), ('deferred', 'cancelled'),
    ('completed', 'pending'), ('cancelled', 'pending')
) AS t (source, target);

-- Counts what was ever made, so that ids grow with the project. (2·log2(n) + 20 bits: two branches with
-- n items each mint the same id with a chance of one in a million.)
CREATE SEQUENCE workflow.work_numbers;

CREATE FUNCTION workflow.new_work_id() RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    letters  constant text := '0123456789abcdefghjkmnpqrstvwxyz';
    -- Of its 16 random bytes all but those with the version and the variant.
    random   bytea := uuid_send(gen_random_uuid());
    id       text := 'w-';
    size     integer := least(13, greatest(8, ceil(
        (2 * log(2.0, nextval('workflow.work_numbers') + 1) + 20) / 5)));
BEGIN
    FOR i IN 0 .. size - 1 LOOP
        id := id || substr(letters, (get_byte(random, CASE WHEN i < 6 THEN i ELSE i + 3 END) & 31) + 1, 1);
    END LOOP;
    RETURN id;
END
$$;

CREATE TABLE workflow.work_items (
    id             text COLLATE "C" PRIMARY KEY DEFAULT workflow.new_work_id(),
    parent_id      text COLLATE "C" REFERENCES workflow.work_items,
    -- The parent, or '' for none: what an index can be asked for.
    place          text COLLATE "C" NOT NULL GENERATED ALWAYS AS (coalesce(parent_id, '')) STORED,
    -- Position among the children of the same parent; between two there is always another.
    order_key      numeric NOT NULL,
    kind           text NOT NULL,
    title          text NOT NULL,
    description    text NOT NULL DEFAULT '',
    status         text NOT NULL,
    category       text NOT NULL,
    -- 0 is the most urgent, 4 can wait.
    priority       smallint NOT NULL DEFAULT 2,
    labels         text[] NOT NULL DEFAULT '{}',
    assignee       text,
    due_at         workflow.moment,
    -- What whoever does it thinks that it takes; the clock of a claim compares it with what it took.
    estimate_minutes double precision,
    -- [{"text": …, "met": false}]
    acceptance     jsonb NOT NULL DEFAULT '[]',
    -- [{"repository": …, "path": …, "start_line": …, "end_line": …}]
    code           jsonb NOT NULL DEFAULT '[]',
    -- Records of workflow.entities.
    entities       uuid[] NOT NULL DEFAULT '{}',
    outcome        text NOT NULL DEFAULT '',
    -- Where it came from: 'github:12', 'beads:bd-a1b2'.
    external_ref   text,
    version        integer NOT NULL DEFAULT 1,
    created_at     workflow.moment NOT NULL DEFAULT clock_timestamp(),
    updated_at     workflow.moment NOT NULL DEFAULT clock_timestamp(),
    closed_at      workflow.moment,
    archived_at    workflow.moment,
    deleted_at     workflow.moment,
    created_by     text NOT NULL DEFAULT 'claude-code',
    updated_by     text NOT NULL DEFAULT 'claude-code',
    -- Which of the actor's agents, where it said so.
    updated_agent  text NOT NULL DEFAULT '',
    is_open        boolean NOT NULL
        GENERATED ALWAYS AS (category IN ('todo', 'doing', 'paused') AND deleted_at IS NULL) STORED,
    open_blockers  integer NOT NULL DEFAULT 0,
    claim_epoch    bigint NOT NULL DEFAULT 0,
    claim_holder   text,
    claimed_at     workflow.moment,
    claim_until    workflow.moment,
    FOREIGN KEY (kind, status) REFERENCES workflow.work_statuses,
    -- Finite, and with room on both sides.
    CONSTRAINT valid_work_order CHECK (order_key > -1e60 AND order_key < 1e60),
    CONSTRAINT valid_work_id CHECK (id ~ '^w-[0-9a-z]{4,40}$'),
    CONSTRAINT valid_work_title CHECK (length(title) BETWEEN 1 AND 500),
    CONSTRAINT valid_work_priority CHECK (priority BETWEEN 0 AND 4),
    CONSTRAINT valid_work_version CHECK (version > 0),
    -- Up to ten years.
    CONSTRAINT valid_work_estimate CHECK (estimate_minutes BETWEEN 0.001 AND 5256000),
    CONSTRAINT valid_work_acceptance CHECK (jsonb_typeof(acceptance) = 'array'),
    CONSTRAINT valid_work_code CHECK (jsonb_typeof(code) = 'array'),
    CONSTRAINT own_work_parent CHECK (parent_id <> id),
    CONSTRAINT counted_work_blockers CHECK (open_blockers >= 0),
    CONSTRAINT whole_work_claim CHECK (
        (claim_holder IS NULL) = (claim_until IS NULL) AND (claim_holder IS NULL) = (claimed_at IS NULL)),
    CONSTRAINT claimed_work_is_done CHECK (claim_holder IS NULL OR category = 'doing'),
    CONSTRAINT closed_work CHECK ((closed_at IS NULL) = (category NOT IN ('done', 'dropped'))),
    CONSTRAINT archived_work_is_closed CHECK (archived_at IS NULL OR category IN ('done', 'dropped')),
    -- Siblings have a total order, deleted ones too.
    CONSTRAINT work_siblings_order UNIQUE (place, order_key)
) WITH (fillfactor = 80);

-- What can be started, the best first; what has children is told apart in passing.
CREATE INDEX idx_work_items_ready ON workflow.work_items (priority, due_at, created_at, id)
    WHERE category = 'todo' AND open_blockers = 0 AND deleted_at IS NULL;
-- What somebody is at, and perhaps no more.
CREATE INDEX idx_work_items_claimed ON workflow.work_items (claim_until)
    WHERE category = 'doing' AND claim_holder IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX idx_work_items_open_children ON workflow.work_items (parent_id) WHERE is_open;
CREATE INDEX idx_work_items_updated_at ON workflow.work_items (updated_at, id)
    WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX work_external_ref_key ON workflow.work_items (external_ref);

CREATE TABLE workflow.work_history (
    item_id    text COLLATE "C" NOT NULL REFERENCES workflow.work_items,
    version    integer NOT NULL,
    operation  text NOT NULL,
    data       jsonb NOT NULL,
    changed_by text NOT NULL,
    agent      text NOT NULL,
    changed_at workflow.moment NOT NULL,
    PRIMARY KEY (item_id, version)
);

CREATE TABLE workflow.work_links (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id  text COLLATE "C" NOT NULL REFERENCES workflow.work_items,
    type       text NOT NULL,
    target_id  text COLLATE "C" NOT NULL REFERENCES workflow.work_items,
    created_at workflow.moment NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL DEFAULT 'claude-code',
    -- A link is never deleted: the rows are its history.
    removed_at workflow.moment,
    removed_by text,
    CONSTRAINT valid_work_link CHECK (type IN ('blocks', 'relates', 'duplicates', 'discovered_from')),
    CONSTRAINT other_work CHECK (source_id <> target_id),
    -- Both ways are the same.
    CONSTRAINT ordered_relation CHECK (type <> 'relates' OR source_id < target_id)
);
CREATE UNIQUE INDEX work_links_key ON workflow.work_links (source_id, type, target_id)
    WHERE removed_at IS NULL;
CREATE INDEX idx_work_links_target ON workflow.work_links (target_id, type, source_id)
    WHERE removed_at IS NULL;

CREATE TABLE workflow.comments (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_id    text COLLATE "C" NOT NULL REFERENCES workflow.work_items,
    body       text NOT NULL,
    created_at workflow.moment NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL DEFAULT 'claude-code',
    agent      text NOT NULL DEFAULT '',
    CONSTRAINT valid_comment CHECK (length(body) BETWEEN 1 AND 50000)
);
CREATE INDEX idx_comments_item ON workflow.comments (item_id, id);

-- A short number strictly between two; NULL is no neighbour on that side. Where many are appended at
-- once they take different ones: the gap is drawn by lot.
CREATE FUNCTION workflow.work_key_between(lower numeric, upper numeric) RETURNS numeric
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    scale integer := 0;
    found numeric;
BEGIN
    IF upper IS NULL THEN
        RETURN floor(coalesce(lower, 0)) + 1 + floor(random() * 1000)::integer;
    ELSIF lower IS NULL THEN
        RETURN ceil(upper) - 1 - floor(random() * 1000)::integer;
    END IF;
    LOOP
        found := round((lower + upper) * 0.5, scale);
        IF lower < found AND found < upper THEN
            RETURN found;
        END IF;
        scale := scale + 1;
    END LOOP;
END
$$;

-- Whether one event comes before another in any case. Each item has two: it may begin, and it is done.
--   may begin → is done;  may begin → its children may begin;
--   is done → what it blocks may begin;  is done → its parent may be done.
-- `ignoring`: an item whose place in the tree does not count, since it is about to change.
CREATE FUNCTION workflow.work_reaches(
    from_id text, from_done boolean, to_id text, to_done boolean, ignoring text DEFAULT ''
) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE reached (id, done) AS (
        SELECT from_id COLLATE "C", from_done
        UNION
        SELECT next.id, next.done FROM reached AS r
        CROSS JOIN LATERAL (
            SELECT r.id, true WHERE NOT r.done
            UNION ALL
            SELECT c.id, false FROM workflow.work_items AS c
            WHERE NOT r.done AND c.place = r.id AND c.id <> ignoring
            UNION ALL
            SELECT l.target_id, false FROM workflow.work_links AS l
            WHERE r.done AND l.source_id = r.id AND l.type = 'blocks' AND l.removed_at IS NULL
            UNION ALL
            SELECT i.parent_id, true FROM workflow.work_items AS i
            WHERE r.done AND i.id = r.id AND i.parent_id IS NOT NULL AND i.id <> ignoring
        ) AS next (id, done)
    )
    SELECT EXISTS (SELECT FROM reached WHERE id = to_id AND done = to_done)
$$;

-- Lock the graph for one who has an item already: who has the graph may be waiting for that item.
CREATE FUNCTION workflow.take_work_graph() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM workflow.work_graph FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another changes the graph' USING ERRCODE = 'serialization_failure';
    END IF;
END
$$;

-- Add to what some items wait for; where one begins or ceases to wait, so do its children.
CREATE FUNCTION workflow.add_work_blockers(ids text[], delta integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    turned text[];
BEGIN
    IF cardinality(ids) > 0 THEN
        PERFORM workflow.take_work_graph();
    END IF;
    WHILE cardinality(ids) > 0 LOOP
        WITH changed AS (
            UPDATE workflow.work_items AS i SET open_blockers = i.open_blockers + delta
            WHERE i.id = ANY (ids)
            RETURNING i.id, i.open_blockers
        )
        SELECT array_agg(c.id) INTO turned FROM changed AS c WHERE c.open_blockers = greatest(delta, 0);
        ids := ARRAY(SELECT i.id FROM workflow.work_items AS i WHERE i.place = ANY (turned));
    END LOOP;
END
$$;

-- Hold a parent as it is until the transaction ends.
CREATE FUNCTION workflow.share_work_parent(
    id text, OUT is_open boolean, OUT waits integer, OUT deleted boolean
)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT p.is_open, (p.open_blockers > 0)::integer, p.deleted_at IS NOT NULL
    INTO is_open, waits, deleted
    FROM workflow.work_items AS p WHERE p.id = share_work_parent.id FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such item' USING ERRCODE = 'UC301';
    END IF;
END
$$;

CREATE FUNCTION workflow.check_new_work() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parent record;
BEGIN
    SELECT s.status, s.category INTO NEW.status, NEW.category
    FROM workflow.work_statuses AS s
    WHERE s.kind = NEW.kind AND (s.status = NEW.status OR (NEW.status IS NULL AND s.category = 'todo'))
    ORDER BY s.place LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such kind or status' USING ERRCODE = 'UC306';
    END IF;
    IF NEW.category IN ('done', 'dropped') THEN
        NEW.closed_at := coalesce(NEW.closed_at, NEW.updated_at);
    END IF;
    NEW.open_blockers := 0;
    IF NEW.parent_id IS NOT NULL THEN
        parent := workflow.share_work_parent(NEW.parent_id);
        IF NEW.deleted_at IS NULL AND (parent.deleted
            OR NOT parent.is_open AND NEW.category NOT IN ('done', 'dropped')) THEN
            RAISE EXCEPTION 'the parent is closed' USING ERRCODE = 'UC302';
        END IF;
        NEW.open_blockers := parent.waits;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER check_new_work BEFORE INSERT ON workflow.work_items
    FOR EACH ROW EXECUTE FUNCTION workflow.check_new_work();

CREATE FUNCTION workflow.check_work_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    undone boolean := current_setting('undercroft.undo', true) = NEW.id || ':' || NEW.version;
    was_open boolean := OLD.is_open;
    opens boolean;
    parent record;
BEGIN
    IF (NEW.claim_holder IS NOT NULL AND NEW.claim_holder IS DISTINCT FROM OLD.claim_holder
        OR NEW.claim_epoch <> OLD.claim_epoch)
       AND (NEW.claim_epoch <> OLD.claim_epoch + 1 OR OLD.claim_until > clock_timestamp()) THEN
        RAISE EXCEPTION 'a claim takes the next epoch, where nobody holds the item'
            USING ERRCODE = 'UC001';
    END IF;
    IF NEW.version <> OLD.version + 1 OR NEW.id <> OLD.id OR NEW.created_at <> OLD.created_at
       OR NEW.created_by <> OLD.created_by THEN
        RAISE EXCEPTION 'every change adds one to the version and leaves the identity'
            USING ERRCODE = 'UC001';
    END IF;
    IF NEW.kind <> OLD.kind OR NEW.status <> OLD.status OR NEW.category <> OLD.category THEN
        SELECT s.category INTO NEW.category FROM workflow.work_statuses AS s
        WHERE s.kind = NEW.kind AND s.status = NEW.status;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no such kind or status' USING ERRCODE = 'UC306';
        END IF;
        IF NEW.status <> OLD.status AND undone IS NOT TRUE AND NOT EXISTS (
            SELECT FROM workflow.work_transitions AS t
            WHERE t.kind = NEW.kind AND t.from_status = OLD.status AND t.to_status = NEW.status) THEN
            RAISE EXCEPTION 'the kind does not allow it' USING ERRCODE = 'UC303';
        END IF;
    END IF;
    opens := NEW.category IN ('todo', 'doing', 'paused') AND NEW.deleted_at IS NULL;
    NEW.closed_at := CASE WHEN NEW.category IN ('done', 'dropped')
                          THEN coalesce(OLD.closed_at, NEW.updated_at) END;
    IF NEW.category <> 'doing' OR NEW.deleted_at IS NOT NULL THEN
        NEW.claim_holder := NULL;
        NEW.claimed_at := NULL;
        NEW.claim_until := NULL;
    END IF;
    IF NEW.category NOT IN ('done', 'dropped') THEN
        NEW.archived_at := NULL;
    END IF;
    IF was_open AND NOT opens AND EXISTS (
            SELECT FROM workflow.work_items AS c WHERE c.parent_id = NEW.id AND c.is_open)
       OR OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL AND EXISTS (
            SELECT FROM workflow.work_items AS c WHERE c.place = NEW.id AND c.deleted_at IS NULL) THEN
        RAISE EXCEPTION 'it has open children' USING ERRCODE = 'UC304';
    END IF;
    -- Who began when nothing stood in the way may finish.
    IF NEW.category = 'done' AND OLD.is_open AND OLD.open_blockers > 0 AND OLD.claim_holder IS NULL
       AND undone IS NOT TRUE THEN
        RAISE EXCEPTION 'it waits for other work' USING ERRCODE = 'UC309';
    END IF;
    IF NEW.parent_id IS DISTINCT FROM OLD.parent_id THEN
        PERFORM workflow.take_work_graph();
        UPDATE workflow.work_graph SET changes = changes + 1;
        IF NEW.parent_id IS NOT NULL AND (
            workflow.work_reaches(NEW.id, false, NEW.parent_id, false, NEW.id)
            OR workflow.work_reaches(NEW.parent_id, true, NEW.id, true, NEW.id)) THEN
            RAISE EXCEPTION 'it would wait for itself' USING ERRCODE = 'UC305';
        END IF;
        IF OLD.parent_id IS NOT NULL THEN
            parent := workflow.share_work_parent(OLD.parent_id);
            NEW.open_blockers := NEW.open_blockers - parent.waits;
        END IF;
    END IF;
    IF NEW.parent_id IS NOT NULL
       AND (NEW.parent_id IS DISTINCT FROM OLD.parent_id OR (opens AND NOT was_open)
            OR (NEW.deleted_at IS NULL AND OLD.deleted_at IS NOT NULL)) THEN
        PERFORM workflow.take_work_graph();
        parent := workflow.share_work_parent(NEW.parent_id);
        IF NEW.deleted_at IS NULL AND (parent.deleted OR (opens AND NOT parent.is_open)) THEN
            RAISE EXCEPTION 'the parent is closed' USING ERRCODE = 'UC302';
        END IF;
        IF NEW.parent_id IS DISTINCT FROM OLD.parent_id THEN
            NEW.open_blockers := NEW.open_blockers + parent.waits;
        END IF;
    END IF;
    RETURN NEW;
END
$$;

-- All but what is bookkeeping: heartbeats, and counts.
CREATE TRIGGER check_work_change
    BEFORE UPDATE OF id, parent_id, order_key, kind, title, description, status, category, priority,
        labels, assignee, due_at, estimate_minutes, acceptance, code, entities, outcome, external_ref,
        version, created_at, updated_at, closed_at, archived_at, deleted_at, created_by, updated_by,
        updated_agent, claim_epoch, claim_holder, claimed_at ON workflow.work_items
    FOR EACH ROW EXECUTE FUNCTION workflow.check_work_change();

CREATE FUNCTION workflow.refuse_late_heartbeat() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the time of the claim is over' USING ERRCODE = 'UC310';
END
$$;

CREATE TRIGGER refuse_late_heartbeat BEFORE UPDATE OF claim_until ON workflow.work_items
    FOR EACH ROW WHEN (NEW.claim_epoch = OLD.claim_epoch AND NEW.claim_until > OLD.claim_until
                       AND OLD.claim_until <= clock_timestamp())
    EXECUTE FUNCTION workflow.refuse_late_heartbeat();

CREATE FUNCTION workflow.follow_work_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.is_open <> NEW.is_open THEN
        PERFORM workflow.add_work_blockers(
            ARRAY(SELECT l.target_id FROM workflow.work_links AS l
                  WHERE l.source_id = NEW.id AND l.type = 'blocks' AND l.removed_at IS NULL),
            CASE WHEN NEW.is_open THEN 1 ELSE -1 END);
    END IF;
    IF OLD.parent_id IS DISTINCT FROM NEW.parent_id
       AND (OLD.open_blockers = 0) <> (NEW.open_blockers = 0) THEN
        PERFORM workflow.add_work_blockers(
            ARRAY(SELECT c.id FROM workflow.work_items AS c WHERE c.place = NEW.id),
            CASE WHEN NEW.open_blockers > 0 THEN 1 ELSE -1 END);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER follow_work_change AFTER UPDATE ON workflow.work_items
    FOR EACH ROW WHEN (OLD.is_open <> NEW.is_open OR OLD.place <> NEW.place)
    EXECUTE FUNCTION workflow.follow_work_change();

-- Written by the owner, so that the application's role needs no right to write history.
CREATE FUNCTION workflow.record_work_history() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    what text := 'create';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        what := CASE
            WHEN current_setting('undercroft.undo', true) = NEW.id || ':' || NEW.version THEN 'undo'
            WHEN (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)
                THEN CASE WHEN NEW.deleted_at IS NULL THEN 'restore' ELSE 'delete' END
            WHEN NEW.claim_epoch > OLD.claim_epoch THEN 'claim'
            WHEN OLD.is_open AND NOT NEW.is_open THEN 'finish'
            WHEN OLD.claim_holder IS NOT NULL AND NEW.claim_holder IS NULL THEN 'release'
            WHEN (OLD.place, OLD.order_key) <> (NEW.place, NEW.order_key) THEN 'move'
            WHEN (OLD.archived_at IS NULL) <> (NEW.archived_at IS NULL)
                THEN CASE WHEN NEW.archived_at IS NULL THEN 'unarchive' ELSE 'archive' END
            ELSE 'update' END;
    END IF;
    INSERT INTO workflow.work_history (item_id, version, operation, data, changed_by, agent, changed_at)
    VALUES (NEW.id, NEW.version, what, jsonb_build_object(
        'parent_id', NEW.parent_id, 'order_key', NEW.order_key, 'kind', NEW.kind, 'title', NEW.title,
        'description', NEW.description, 'status', NEW.status, 'priority', NEW.priority,
        'labels', NEW.labels, 'assignee', NEW.assignee, 'due_at', NEW.due_at,
        'estimate_minutes', NEW.estimate_minutes,
        'acceptance', NEW.acceptance, 'code', NEW.code, 'entities', NEW.entities,
        'outcome', NEW.outcome, 'archived_at', NEW.archived_at, 'deleted_at', NEW.deleted_at,
        'claim_holder', NEW.claim_holder, 'claim_epoch', NEW.claim_epoch,
        'claim_until', NEW.claim_until),
        NEW.updated_by, NEW.updated_agent, NEW.updated_at);
    RETURN NULL;
END
$$;

CREATE TRIGGER record_new_work AFTER INSERT ON workflow.work_items
    FOR EACH ROW EXECUTE FUNCTION workflow.record_work_history();
CREATE TRIGGER record_work_change AFTER UPDATE ON workflow.work_items
    FOR EACH ROW WHEN (OLD.version <> NEW.version)
    EXECUTE FUNCTION workflow.record_work_history();

CREATE FUNCTION workflow.lock_work_graph() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE workflow.work_graph SET changes = changes + 1;
    RETURN NULL;
END
$$;

CREATE TRIGGER lock_work_graph BEFORE INSERT OR UPDATE ON workflow.work_links
    FOR EACH STATEMENT EXECUTE FUNCTION workflow.lock_work_graph();

CREATE FUNCTION workflow.follow_work_link() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    circle boolean := false;
    waits  boolean;
BEGIN
    IF NEW.removed_at IS NULL AND NEW.type <> 'relates' THEN
        IF NEW.type = 'blocks' THEN
            circle := workflow.work_reaches(NEW.target_id, false, NEW.source_id, true);
        ELSE
            WITH RECURSIVE reached (id) AS (
                SELECT NEW.target_id
                UNION
                SELECT l.target_id FROM reached AS r JOIN workflow.work_links AS l
                    ON l.source_id = r.id AND l.type = NEW.type AND l.removed_at IS NULL
            )
            SELECT EXISTS (SELECT FROM reached WHERE id = NEW.source_id) INTO circle;
        END IF;
        IF circle THEN
            RAISE EXCEPTION 'it would wait for itself' USING ERRCODE = 'UC305';
        END IF;
    END IF;
    IF NEW.type = 'blocks' THEN
        SELECT i.is_open INTO waits FROM workflow.work_items AS i WHERE i.id = NEW.source_id
        FOR NO KEY UPDATE;
        IF waits THEN
            PERFORM workflow.add_work_blockers(
                ARRAY[NEW.target_id], CASE WHEN NEW.removed_at IS NULL THEN 1 ELSE -1 END);
        END IF;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER follow_new_work_link AFTER INSERT ON workflow.work_links
    FOR EACH ROW EXECUTE FUNCTION workflow.follow_work_link();
CREATE TRIGGER follow_removed_work_link AFTER UPDATE OF removed_at ON workflow.work_links
    FOR EACH ROW WHEN (OLD.removed_at IS NULL AND NEW.removed_at IS NOT NULL)
    EXECUTE FUNCTION workflow.follow_work_link();

CREATE TRIGGER keep_removed_link BEFORE UPDATE ON workflow.work_links
    FOR EACH ROW WHEN (OLD.removed_at IS NOT NULL) EXECUTE FUNCTION workflow.refuse_change();

-- Mark an item and all beneath it as deleted; how many, NULL where it is not in that version. Level by
-- level: whoever adds a child holds its parent, so that none is overlooked. Raises UC307 where somebody
-- is at one of them.
CREATE FUNCTION workflow.delete_work(item text, version integer, actor text, agent text) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stamp timestamptz := clock_timestamp();
    level text[] := ARRAY[item];
    levels jsonb[] := '{}';
    deleted integer := 0;
    rows integer;
BEGIN
    PERFORM FROM workflow.work_graph FOR UPDATE;
    PERFORM FROM workflow.work_items AS i
    WHERE i.id = item AND i.version = delete_work.version AND i.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    WHILE cardinality(level) > 0 LOOP
        PERFORM FROM workflow.work_items AS i WHERE i.id = ANY (level) FOR NO KEY UPDATE;
        IF EXISTS (SELECT FROM workflow.work_items AS i
                   WHERE i.id = ANY (level) AND i.claim_until > clock_timestamp()) THEN
            RAISE EXCEPTION 'somebody is at it' USING ERRCODE = 'UC307';
        END IF;
        levels := array_append(levels, to_jsonb(level));
        level := ARRAY(SELECT c.id FROM workflow.work_items AS c
                       WHERE c.place = ANY (level) AND c.deleted_at IS NULL);
    END LOOP;
    -- The deepest first: nothing that is there has a parent that is not.
    FOR i IN REVERSE cardinality(levels) .. 1 LOOP
        UPDATE workflow.work_items AS w
        SET deleted_at = stamp, version = w.version + 1, updated_at = stamp, updated_by = actor,
            updated_agent = agent
        WHERE w.id IN (SELECT jsonb_array_elements_text(levels[i]));
        GET DIAGNOSTICS rows = ROW_COUNT;
        deleted := deleted + rows;
    END LOOP;
    RETURN deleted;
END
$$;

-- Bring back an item and what was deleted together with it; how many, NULL where it is not deleted in
-- that version.
CREATE FUNCTION workflow.restore_work(item text, version integer, actor text, agent text) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stamp timestamptz;
    level text[] := ARRAY[item];
    restored integer := 0;
BEGIN
    PERFORM FROM workflow.work_graph FOR UPDATE;
    SELECT i.deleted_at INTO stamp FROM workflow.work_items AS i
    WHERE i.id = item AND i.version = restore_work.version AND i.deleted_at IS NOT NULL
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    WHILE cardinality(level) > 0 LOOP
        UPDATE workflow.work_items AS i
        SET deleted_at = NULL, version = i.version + 1, updated_at = clock_timestamp(),
            updated_by = actor, updated_agent = agent
        WHERE i.id = ANY (level);
        restored := restored + cardinality(level);
        level := ARRAY(SELECT c.id FROM workflow.work_items AS c
                       WHERE c.place = ANY (level) AND c.deleted_at = stamp);
    END LOOP;
    RETURN restored;
END
$$;

-- Per cent of what is beneath an item that is done, what was given up left aside; of one without
-- children: 0 or 100.
CREATE FUNCTION workflow.work_progress(item text) RETURNS numeric
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE tree AS (
        SELECT i.id, i.category FROM workflow.work_items AS i WHERE i.id = item
        UNION ALL
        SELECT c.id, c.category FROM tree AS t CROSS JOIN LATERAL (
            SELECT w.id, w.category, w.deleted_at FROM workflow.work_items AS w
            WHERE w.place = t.id OFFSET 0) AS c
        WHERE c.deleted_at IS NULL
    ), leaves AS (
        SELECT t.category FROM tree AS t
        WHERE t.category <> 'dropped' AND NOT EXISTS (
            SELECT FROM workflow.work_items AS c
            WHERE c.place = t.id AND c.deleted_at IS NULL AND c.category <> 'dropped')
    )
    SELECT coalesce(round(100.0 * count(*) FILTER (WHERE category = 'done') / nullif(count(*), 0), 1), 0)
    FROM leaves
$$;

-- The item before and the one after among their siblings, of whatever kind, as kind:id.
CREATE VIEW workflow.tasks AS
SELECT i.id, i.title, i.description AS objective, i.description, current_database()::text AS project_id,
       i.parent_id,
       CASE WHEN u.kind = 'task' THEN u.id END AS parent_task_id,
       CASE WHEN u.kind = 'issue' THEN u.id END AS issue_id,
       CASE WHEN u.kind = 'epic' THEN u.id END AS epic_id,
       p.ref AS prev_id, n.ref AS next_id, workflow.work_progress(i.id) AS progress,
       i.status, i.priority, i.labels, i.assignee, i.due_at, i.estimate_minutes,
       i.acceptance AS acceptance_criteria, i.closed_at AS completed_at, i.created_at, i.updated_at
FROM workflow.work_items AS i
LEFT JOIN workflow.work_items AS u ON u.id = i.parent_id
LEFT JOIN LATERAL (
    SELECT b.kind || ':' || b.id AS ref FROM workflow.work_items AS b
    WHERE b.place = i.place AND b.order_key < i.order_key AND b.deleted_at IS NULL
    ORDER BY b.order_key DESC LIMIT 1) AS p ON true
LEFT JOIN LATERAL (
    SELECT a.kind || ':' || a.id AS ref FROM workflow.work_items AS a
    WHERE a.place = i.place AND a.order_key > i.order_key AND a.deleted_at IS NULL
    ORDER BY a.order_key LIMIT 1) AS n ON true
WHERE i.kind = 'task' AND i.deleted_at IS NULL;

CREATE VIEW workflow.issues AS
SELECT i.id, current_database()::text AS project_id, i.parent_id AS epic_id, i.title, i.description,
       i.status, i.priority, i.labels, i.assignee, i.due_at, i.acceptance AS acceptance_criteria,
       workflow.work_progress(i.id) AS progress, i.external_ref, i.closed_at, i.created_at, i.updated_at
FROM workflow.work_items AS i
WHERE i.kind = 'issue' AND i.deleted_at IS NULL;

CREATE VIEW workflow.epics AS
SELECT i.id, current_database()::text AS project_id, i.title, i.description, i.status, i.priority,
       i.labels, i.assignee, i.due_at, i.acceptance AS acceptance_criteria,
       workflow.work_progress(i.id) AS progress, i.closed_at, i.created_at, i.updated_at
FROM workflow.work_items AS i
WHERE i.kind = 'epic' AND i.deleted_at IS NULL;

CREATE VIEW workflow.audit_log AS
SELECT h.data ->> 'kind' AS entity_type, h.item_id AS entity_id, h.version, h.operation AS action,
       lag(h.data) OVER w AS old_values, h.data AS new_values,
       h.changed_by AS user_id, h.agent AS ai_agent, h.changed_at AS "timestamp"
FROM workflow.work_history AS h
WINDOW w AS (PARTITION BY h.item_id ORDER BY h.version);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON workflow.work_history
    FOR EACH STATEMENT EXECUTE FUNCTION workflow.refuse_change();

REVOKE ALL ON FUNCTION workflow.record_work_history() FROM PUBLIC;
GRANT USAGE ON SEQUENCE workflow.work_numbers TO :app;
GRANT SELECT, INSERT, UPDATE ON workflow.work_items, workflow.work_kinds TO :app;
GRANT SELECT, INSERT, UPDATE (removed_at, removed_by) ON workflow.work_links TO :app;
GRANT SELECT, INSERT, UPDATE, DELETE ON workflow.work_statuses, workflow.work_transitions TO :app;
GRANT SELECT, UPDATE ON workflow.work_graph TO :app;
GRANT SELECT, INSERT ON workflow.comments TO :app;
GRANT SELECT ON workflow.work_history, workflow.epics, workflow.issues, workflow.tasks,
    workflow.audit_log TO :app;
