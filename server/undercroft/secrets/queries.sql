-- get_standing --
-- What the next version of a secret needs: the version now (0: none), and the active data key.
SELECT coalesce(s.version, 0) AS version, s.deleted_at, s.kind, s.recipe::text AS recipe,
       k.id AS key_id, k.wrapped, k.wrapped_by, coalesce(k.encryptions, 0) AS encryptions
FROM (VALUES ($1::text)) AS asked (name)
LEFT JOIN vault.secrets AS s ON s.name = asked.name
LEFT JOIN vault.encryption_keys AS k ON k.state = 'active';

-- store_secret writes --
-- Keep a ciphertext as the next version; NULL where the secret has moved on.
SELECT vault.store_secret($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10, $11, $12, $13);

-- get_secret --
-- What may be known of a secret, deleted ones as well.
SELECT s.name, s.kind, s.description, s.version, v.fingerprint, s.recipe IS NOT NULL AS generated,
       s.expires_at, r.every_days AS rotate_every_days,
       v.created_at + make_interval(days => r.every_days) AS rotation_due_at,
       s.deleted_at, s.created_at, s.updated_at, s.created_by, s.updated_by
FROM vault.secrets AS s
JOIN vault.secret_versions AS v ON v.name = s.name AND v.version = s.version
LEFT JOIN vault.secret_rotation_schedule AS r ON r.name = s.name
WHERE s.name = $1;

-- list_secrets --
-- What may be known of secrets, in order of their names after one; deleted ones where asked for.
SELECT s.name, s.kind, s.description, s.version, v.fingerprint, s.recipe IS NOT NULL AS generated,
       s.expires_at, r.every_days AS rotate_every_days,
       v.created_at + make_interval(days => r.every_days) AS rotation_due_at,
       s.deleted_at, s.created_at, s.updated_at, s.created_by, s.updated_by
FROM vault.secrets AS s
JOIN vault.secret_versions AS v ON v.name = s.name AND v.version = s.version
LEFT JOIN vault.secret_rotation_schedule AS r ON r.name = s.name
WHERE s.name > $1 AND (s.deleted_at IS NULL) <> $2
ORDER BY s.name
LIMIT $3;

-- list_names --
-- Names of the secrets that are there.
SELECT name FROM vault.secrets WHERE deleted_at IS NULL ORDER BY name;

-- read_values --
-- Ciphertexts of secrets' latest versions with their keys (NULL: of all that may be used now).
SELECT s.name, s.version, s.kind, v.nonce, v.ciphertext, k.id AS key_id, k.wrapped, k.wrapped_by,
       s.expires_at <= clock_timestamp() AS expired
FROM vault.secrets AS s
JOIN vault.secret_versions AS v ON v.name = s.name AND v.version = s.version
JOIN vault.encryption_keys AS k ON k.id = v.key_id
WHERE s.deleted_at IS NULL
  AND CASE WHEN $1::text[] IS NULL
           THEN s.expires_at IS NULL OR s.expires_at > clock_timestamp()
           ELSE s.name = ANY ($1::text[]) END
ORDER BY s.name;

-- read_version --
-- Ciphertext of one version (0: the latest) of a secret that is there, with its key.
SELECT s.name, v.version, s.kind, v.nonce, v.ciphertext, k.id AS key_id, k.wrapped, k.wrapped_by,
       s.expires_at <= clock_timestamp() AS expired
FROM vault.secrets AS s
JOIN vault.secret_versions AS v
    ON v.name = s.name AND v.version = CASE $2::int WHEN 0 THEN s.version ELSE $2 END
JOIN vault.encryption_keys AS k ON k.id = v.key_id
WHERE s.name = $1 AND s.deleted_at IS NULL;

-- hold_log writes --
-- Have the end of the log for this transaction, before rows of secrets and permissions.
SELECT vault.hold_log();

-- log_access writes --
-- A row of the log per secret; committed with the transaction that it is in.
SELECT vault.log_access($1, $2, $3::text[], $4::int[], $5);

-- take_permission writes --
-- Whether a person allows that a secret be shown; the log has its row either way.
SELECT vault.take_permission($1, $2, $3, $4);

-- allow_reveal --
-- Let a secret be shown for some seconds; no row where it is not there.
INSERT INTO vault.reveal_permissions (name, once, created_by, expires_at)
SELECT s.name, $2, $3, clock_timestamp() + make_interval(secs => $4)
FROM vault.secrets AS s WHERE s.name = $1 AND s.deleted_at IS NULL
RETURNING name, once, expires_at;

-- end_permissions --
-- Let it be shown no longer.
UPDATE vault.reveal_permissions SET expires_at = clock_timestamp()
WHERE name = $1 AND expires_at > clock_timestamp();

-- delete_secret --
-- Put a secret away; no row where its version is another (0: any).
UPDATE vault.secrets
SET deleted_at = clock_timestamp(), updated_at = clock_timestamp(), updated_by = $3
WHERE name = $1 AND deleted_at IS NULL AND (version = $2 OR $2 = 0)
RETURNING version;

-- restore_secret --
-- Bring a secret back that was put away.
UPDATE vault.secrets
SET deleted_at = NULL, updated_at = clock_timestamp(), updated_by = $2
WHERE name = $1 AND deleted_at IS NOT NULL
RETURNING version;

-- schedule_rotation --
-- Remember after how many days a secret wants another value.
INSERT INTO vault.secret_rotation_schedule AS r (name, every_days, created_by)
SELECT s.name, $2, $3 FROM vault.secrets AS s WHERE s.name = $1 AND s.deleted_at IS NULL
ON CONFLICT (name) DO UPDATE
SET every_days = EXCLUDED.every_days, created_at = clock_timestamp(),
    created_by = EXCLUDED.created_by
RETURNING name;

-- end_schedule --
-- Forget that a secret wants another value.
DELETE FROM vault.secret_rotation_schedule WHERE name = $1;

-- list_accesses --
-- The log before a row (0: from its end), the newest first; of one secret where named.
SELECT id, at, actor, action, secret, version, purpose
FROM vault.secret_access_log
WHERE ($1::bigint = 0 OR id < $1) AND ($2 = '' OR secret = $2)
ORDER BY id DESC
LIMIT $3;

-- verify_log --
-- Whether the log is as it was written.
SELECT entries, broken, encode(last_hash, 'hex') AS last_hash FROM vault.verify_access_log();

-- get_template --
-- A kind of secret.
SELECT kind, description, shape, generator, length, expires_days
FROM vault.secret_templates WHERE kind = $1;

-- list_templates --
-- Every kind of secret.
SELECT kind, description, shape, generator, length, expires_days
FROM vault.secret_templates ORDER BY kind;

-- in_days --
-- That many days from now, by the database's clock.
SELECT clock_timestamp() + make_interval(days => $1);

-- get_data_key --
-- The data key that encrypts now, or the one that blinds.
SELECT id AS key_id, wrapped, wrapped_by FROM vault.encryption_keys
WHERE state = $1 AND state <> 'retired';

-- insert_key --
-- A first data key of its state, unless there is one.
INSERT INTO vault.encryption_keys (id, wrapped, wrapped_by, state, created_by)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (state) WHERE state <> 'retired' DO NOTHING
RETURNING id;

-- retire_key --
-- Let a data key only decrypt from now on; no row where it is not the active one.
UPDATE vault.encryption_keys SET state = 'retired', retired_at = clock_timestamp()
WHERE id = $1 AND state = 'active'
RETURNING id;

-- list_wrappers --
-- Key-encryption keys that the project's data keys name.
SELECT DISTINCT wrapped_by FROM vault.encryption_keys ORDER BY wrapped_by;

-- list_stale --
-- Values under an older key than the active one, some of them.
SELECT v.name, v.version, v.nonce, v.ciphertext, k.id AS key_id, k.wrapped, k.wrapped_by
FROM vault.secret_versions AS v
JOIN vault.encryption_keys AS k ON k.id = v.key_id AND k.state = 'retired'
WHERE (v.name, v.version) > ($1, $2)
ORDER BY v.name, v.version
LIMIT $3;

-- move_values --
-- Put values under another key, each if it is still under the one that it was read with.
UPDATE vault.secret_versions AS v
SET key_id = $1, nonce = n.nonce, ciphertext = n.ciphertext, fingerprint = n.fingerprint
FROM unnest($2::text[], $3::int[], $4::uuid[], $5::bytea[], $6::bytea[], $7::text[])
    AS n (name, version, old_key, nonce, ciphertext, fingerprint)
WHERE v.name = n.name AND v.version = n.version AND v.key_id = n.old_key
RETURNING v.name;

-- count_encryptions --
-- Values that were encrypted under the active key; no row where it is another by now.
UPDATE vault.encryption_keys SET encryptions = encryptions + $2
WHERE id = $1 AND state = 'active'
RETURNING id;

-- drop_retired_keys --
-- Forget data keys that nothing is encrypted under any more.
DELETE FROM vault.encryption_keys AS k
WHERE k.state = 'retired'
  AND NOT EXISTS (SELECT FROM vault.secret_versions AS v WHERE v.key_id = k.id);

-- list_wrapped --
-- Data keys that another key than this one wraps.
SELECT id AS key_id, wrapped, wrapped_by FROM vault.encryption_keys
WHERE wrapped_by <> $1 ORDER BY id;

-- rewrap_key --
-- Put a data key under another key-encryption key, if it is still under the one it was read with.
UPDATE vault.encryption_keys SET wrapped = $3, wrapped_by = $4
WHERE id = $1 AND wrapped_by = $2
RETURNING id;
