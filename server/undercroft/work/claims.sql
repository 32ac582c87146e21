-- claim_best --
-- The best item that can be started, or was begun and is no longer held; nobody else gets the same.
WITH lost AS MATERIALIZED (
    SELECT i.id FROM workflow.work_items AS i
    WHERE i.category = 'doing' AND i.claim_holder IS NOT NULL AND i.deleted_at IS NULL
      AND i.claim_until <= statement_timestamp() AND i.open_blockers = 0
      AND (cardinality($3::text[]) = 0 OR i.kind = ANY ($3)) AND i.labels @> $4::text[]
      AND (i.assignee IS NULL OR i.assignee = $1)
      AND ($5::text[] IS NULL OR i.id IN (SELECT unnest($5)))
    ORDER BY i.priority, i.due_at, i.created_at, i.id LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
), best AS MATERIALIZED (
    SELECT i.id FROM workflow.work_items AS i
    WHERE i.category = 'todo' AND i.open_blockers = 0 AND i.deleted_at IS NULL
      AND NOT EXISTS (SELECT FROM lost)
      AND NOT EXISTS (SELECT FROM workflow.work_items AS c WHERE c.parent_id = i.id AND c.is_open)
      AND (cardinality($3::text[]) = 0 OR i.kind = ANY ($3)) AND i.labels @> $4::text[]
      AND (i.assignee IS NULL OR i.assignee = $1)
      AND ($5::text[] IS NULL OR i.id IN (SELECT unnest($5)))
    ORDER BY i.priority, i.due_at, i.created_at, i.id LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
), chosen AS (
    SELECT id FROM lost UNION ALL SELECT id FROM best
)
UPDATE workflow.work_items AS i
SET status = CASE WHEN i.category = 'doing' THEN i.status ELSE coalesce((
        SELECT s.status FROM workflow.work_statuses AS s
        WHERE s.kind = i.kind AND s.category = 'doing' ORDER BY s.place LIMIT 1), i.status) END,
    claim_epoch = i.claim_epoch + 1, claim_holder = $1, claimed_at = clock_timestamp(),
    claim_until = clock_timestamp() + make_interval(secs => $2), version = i.version + 1,
    updated_at = clock_timestamp(), updated_by = $6, updated_agent = $1
FROM chosen WHERE i.id = chosen.id
RETURNING i.id, i.kind, i.title, i.description, i.status, i.priority, i.acceptance::text AS acceptance,
          i.code::text AS code, i.parent_id, i.version, i.claim_epoch AS epoch, i.claim_until;

-- claim_item --
-- A given item, where nobody holds it and nothing blocks it.
UPDATE workflow.work_items AS i
SET status = CASE WHEN i.category = 'doing' THEN i.status ELSE coalesce((
        SELECT s.status FROM workflow.work_statuses AS s
        WHERE s.kind = i.kind AND s.category = 'doing' ORDER BY s.place LIMIT 1), i.status) END,
    claim_epoch = i.claim_epoch + 1, claim_holder = $2, claimed_at = clock_timestamp(),
    claim_until = clock_timestamp() + make_interval(secs => $3), version = i.version + 1,
    updated_at = clock_timestamp(), updated_by = $4, updated_agent = $2
WHERE i.id = $1 AND i.is_open AND i.open_blockers = 0
  AND (i.claim_until IS NULL OR i.claim_until <= clock_timestamp())
RETURNING i.id, i.kind, i.title, i.description, i.status, i.priority, i.acceptance::text AS acceptance,
          i.code::text AS code, i.parent_id, i.version, i.claim_epoch AS epoch, i.claim_until;

-- renew_claim --
-- A heartbeat: hold for some seconds from now what is still held.
UPDATE workflow.work_items AS i SET claim_until = clock_timestamp() + make_interval(secs => $3)
WHERE i.id = $1 AND i.claim_epoch = $2 AND i.claim_until > clock_timestamp()
RETURNING i.id, i.kind, i.title, i.description, i.status, i.priority, i.acceptance::text AS acceptance,
          i.code::text AS code, i.parent_id, i.version, i.claim_epoch AS epoch, i.claim_until;

-- release_claim --
-- Give an item back to where it can be started; the epoch, or a person's word, says whose claim ends.
UPDATE workflow.work_items AS i
SET status = coalesce((
        SELECT s.status FROM workflow.work_statuses AS s
        WHERE s.kind = i.kind AND s.category = 'todo' ORDER BY s.place LIMIT 1), i.status),
    claim_holder = NULL, claimed_at = NULL, claim_until = NULL, version = i.version + 1,
    updated_at = clock_timestamp(), updated_by = $4, updated_agent = CASE WHEN $3 THEN '' ELSE i.claim_holder END
WHERE i.id = $1 AND i.claim_holder IS NOT NULL
  AND ($3::boolean OR (i.claim_epoch = $2 AND i.claim_until > clock_timestamp()))
RETURNING i.id, i.kind, i.version, i.status;

-- list_claims --
-- Who is at what, the one whose time ends first at the head.
SELECT i.id, i.kind, i.title, i.claim_holder AS agent, i.claim_epoch AS epoch, i.claimed_at,
       i.claim_until, i.claim_until <= clock_timestamp() AS expired
FROM workflow.work_items AS i
WHERE i.category = 'doing' AND i.claim_holder IS NOT NULL AND i.deleted_at IS NULL
ORDER BY i.claim_until, i.id LIMIT $1;
