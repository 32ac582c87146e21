-- claim_key --
-- Take a key for the length of this transaction; waits for another transaction that holds it.
INSERT INTO undercroft.idempotency_keys (key, tool, arguments_digest, created_by)
VALUES ($1, $2, $3, $4)
ON CONFLICT (key) DO NOTHING
RETURNING true;

-- read_key --
-- What was done under a key.
SELECT tool, arguments_digest, result::text AS result
FROM undercroft.idempotency_keys
WHERE key = $1;

-- keep_result --
-- The result of the call that claimed the key, in the same transaction as its work.
UPDATE undercroft.idempotency_keys SET result = $2::jsonb WHERE key = $1;

-- free_key --
-- A key whose call has not come to its end: the same call once more does the work.
DELETE FROM undercroft.idempotency_keys WHERE key = $1;

-- purge_keys --
-- Keys that no client will still retry.
DELETE FROM undercroft.idempotency_keys WHERE created_at < now() - interval '7 days';
