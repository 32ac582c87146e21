-- Secrets: encrypted before they come here, so that no statement, log, WAL or dump holds a value.
--
--   encryption_keys ──< secret_versions >── secrets ──< secret_rotation_schedule
--     data keys, wrapped     ciphertexts      │  │
--                                             │  └──< reveal_permissions    a person said so
--                                             └───── secret_templates       shape of a kind
--   secret_access_log      every use, each row bound to the one before by its hash
--
-- What is encrypted is bound to its place (project, name, version, key) by the server: a row that
-- was moved or changed does not decrypt. A data key is wrapped by a key-encryption key that no
-- database holds; the registry's key_encryption_keys names it.

CREATE SCHEMA vault;
GRANT USAGE ON SCHEMA vault TO :app;

CREATE TABLE vault.encryption_keys (
    id          uuid        PRIMARY KEY,
    -- Name of the key-encryption key, and what it makes of this one: nonce, ciphertext, tag.
    wrapped_by  text        NOT NULL,
    wrapped     bytea       NOT NULL,
    -- Active: encrypts. Retired: still decrypts. Blinding: makes the digests that stand in records in
    -- the place of values; it is never retired, since a record may be compared at any time.
    state       text        NOT NULL DEFAULT 'active',
    -- Values encrypted under it, which AES-GCM with random nonces bounds.
    encryptions bigint      NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by  text        NOT NULL DEFAULT 'claude-code',
    retired_at  timestamptz,
    CONSTRAINT valid_key_state CHECK (state IN ('active', 'retired', 'blinding')),
    CONSTRAINT valid_wrapped_key CHECK (octet_length(wrapped) = 60),
    CONSTRAINT valid_key_name CHECK (wrapped_by ~ '^[0-9a-f]{32}$')
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX idx_encryption_keys_state ON vault.encryption_keys (state)
    WHERE state <> 'retired';

CREATE TABLE vault.secret_templates (
    kind         text PRIMARY KEY,
    description  text NOT NULL,
    -- Regular expression (of Python) that a whole value of the kind matches; empty: anything.
    shape        text NOT NULL DEFAULT '',
    -- How the server makes one; empty: only a person can give it.
    generator    text NOT NULL DEFAULT '',
    length       integer NOT NULL DEFAULT 32,
    -- Days after which one that the server has made is over; NULL: never.
    expires_days integer,
    created_by   text NOT NULL DEFAULT 'claude-code',
    CONSTRAINT valid_kind CHECK (kind ~ '^[a-z][a-z0-9_]{0,47}$'),
    CONSTRAINT valid_generator
        CHECK (generator IN ('', 'token', 'password', 'hex', 'database_url', 'ssh_key')),
    CONSTRAINT valid_length CHECK (length BETWEEN 16 AND 1024),
    CONSTRAINT valid_expiry CHECK (expires_days BETWEEN 1 AND 36500)
);

INSERT INTO vault.secret_templates
    (kind, description, shape, generator, length, expires_days, created_by)
VALUES
    ('api_key', 'Key of a service''s interface', '[!-~]{8,}', 'token', 40, NULL, 'undercroft'),
    ('certificate', 'Certificate, PEM', '-----BEGIN CERTIFICATE-----[\s\S]+', '', 32, NULL, 'undercroft'),
    ('database_url', 'URL of a database with its password', '[a-z][a-z0-9+.-]*://\S+', 'database_url', 32, NULL, 'undercroft'),
    ('encryption_key', '256 bits in hexadecimal digits', '[0-9A-Fa-f]{32,}', 'hex', 64, NULL, 'undercroft'),
    ('jwt_secret', 'Key that signs JSON Web Tokens', '[!-~]{32,}', 'token', 64, NULL, 'undercroft'),
    ('password', 'Password with letters, digits and marks', '[\s\S]{8,}', 'password', 32, NULL, 'undercroft'),
    ('ssh_key', 'Private key of SSH, Ed25519', '-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+', 'ssh_key', 32, NULL, 'undercroft'),
    ('token', 'Token that lives for 90 days', '[!-~]{8,}', 'token', 43, 90, 'undercroft'),
    ('webhook_secret', 'Key that signs calls of a webhook', '[!-~]{16,}', 'hex', 64, NULL, 'undercroft');

CREATE TABLE vault.secrets (
    name        text PRIMARY KEY,
    kind        text NOT NULL DEFAULT '',
    description text NOT NULL DEFAULT '',
    version     integer NOT NULL DEFAULT 1,
    -- How the server made it, to make the next one the same way; NULL: it was given.
    recipe      jsonb,
    expires_at  timestamptz,
    deleted_at  timestamptz,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by  text NOT NULL DEFAULT 'claude-code',
    updated_by  text NOT NULL DEFAULT 'claude-code',
    -- The name of an environment variable, which is what it becomes.
    CONSTRAINT valid_secret_name CHECK (name ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'),
    CONSTRAINT valid_secret_version CHECK (version > 0)
);
CREATE INDEX idx_secrets_expires_at ON vault.secrets (expires_at)
    WHERE expires_at IS NOT NULL AND deleted_at IS NULL;

CREATE TABLE vault.secret_versions (
    name        text NOT NULL REFERENCES vault.secrets ON DELETE RESTRICT,
    version     integer NOT NULL,
    key_id      uuid NOT NULL REFERENCES vault.encryption_keys ON DELETE RESTRICT,
    nonce       bytea NOT NULL,
    -- With the tag; its length tells the value's in steps of 64 bytes.
    ciphertext  bytea NOT NULL,
    -- Keyed, and of the name as well: whoever has neither the key nor the right to store under this
    -- very name cannot try values against it. Who stores a guess under it makes a version of it.
    fingerprint text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by  text NOT NULL DEFAULT 'claude-code',
    PRIMARY KEY (name, version),
    CONSTRAINT valid_nonce CHECK (octet_length(nonce) = 12),
    CONSTRAINT valid_ciphertext CHECK (octet_length(ciphertext) % 64 = 16),
    CONSTRAINT valid_fingerprint CHECK (fingerprint ~ '^[0-9a-f]{16}$')
);
CREATE INDEX idx_secret_versions_key ON vault.secret_versions (key_id);

CREATE TABLE vault.secret_rotation_schedule (
    name       text PRIMARY KEY REFERENCES vault.secrets ON DELETE CASCADE,
    every_days integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL DEFAULT 'claude-code',
    CONSTRAINT valid_rotation CHECK (every_days BETWEEN 1 AND 3650)
);

CREATE TABLE vault.reveal_permissions (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL REFERENCES vault.secrets ON DELETE CASCADE,
    once       boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX idx_reveal_permissions_name ON vault.reveal_permissions (name, expires_at);

CREATE TABLE vault.secret_access_log (
    -- 1, 2, 3, … without a gap.
    id       bigint PRIMARY KEY,
    at       timestamptz NOT NULL,
    actor    text NOT NULL,
    action   text NOT NULL,
    secret   text,
    version  integer,
    purpose  text NOT NULL DEFAULT '',
    -- Of the row before; of the first: 32 zero bytes.
    previous bytea NOT NULL,
    hash     bytea NOT NULL
);
CREATE INDEX idx_secret_access_log_secret ON vault.secret_access_log (secret, id);

-- How long the log is and how it ends: so that a cut-off end is missed, and appends stand in line.
CREATE TABLE vault.secret_access_log_head (
    single  boolean PRIMARY KEY DEFAULT true CHECK (single),
    entries bigint NOT NULL DEFAULT 0,
    hash    bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex')
) WITH (fillfactor = 50);
INSERT INTO vault.secret_access_log_head DEFAULT VALUES;

-- What a row's hash is made of: the hash before, then the row as a JSON array, whose quoting leaves
-- no two rows the same text.
CREATE FUNCTION vault.access_hash(
    previous bytea, id bigint, at timestamptz, actor text, action text, secret text,
    version integer, purpose text
) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256(previous || convert_to(json_build_array(
        id, (extract(epoch FROM at) * 1000000)::bigint, actor, action, secret, version, purpose
    )::text, 'UTF8'))
$$;

-- Have the end of the log for this transaction. Whatever changes secrets or permissions takes it
-- before their rows (and after the data key's): one order for all, so that none wait in a circle.
CREATE FUNCTION vault.hold_log() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM vault.secret_access_log_head FOR UPDATE;
END
$$;

-- Rows at the end of the log, one per secret, in one transaction with what they tell of.
CREATE FUNCTION vault.log_access(
    actor text, action text, secrets text[], versions integer[], purpose text DEFAULT ''
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last vault.secret_access_log_head;
    moment timestamptz;
    next_hash bytea;
BEGIN
    -- One at a time: the lock holds until the transaction ends.
    SELECT * INTO last FROM vault.secret_access_log_head FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the head of the access log is missing' USING ERRCODE = 'UC201';
    END IF;
    moment := clock_timestamp();
    FOR place IN 1 .. cardinality(secrets) LOOP
        next_hash := vault.access_hash(last.hash, last.entries + 1, moment, actor, action,
            secrets[place], versions[place], purpose);
        INSERT INTO vault.secret_access_log (id, at, actor, action, secret, version, purpose,
            previous, hash)
        VALUES (last.entries + 1, moment, actor, action, secrets[place], versions[place], purpose,
            last.hash, next_hash);
        last.entries := last.entries + 1;
        last.hash := next_hash;
    END LOOP;
    UPDATE vault.secret_access_log_head SET entries = last.entries, hash = last.hash;
    RETURN last.entries;
END
$$;

-- How many rows the log has, and the first that is not as it was written (NULL: all are). A row
-- number beyond the last one: rows have been cut off at the end. Whoever can rewrite the whole log
-- and its head leaves no trace: keep the last hash elsewhere if that must be seen.
CREATE FUNCTION vault.verify_access_log(
    OUT entries bigint, OUT broken bigint, OUT last_hash bytea
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH rows AS (
        SELECT l.id, l.hash, row_number() OVER ordered AS place,
               l.previous = coalesce(lag(l.hash) OVER ordered, decode(repeat('00', 32), 'hex'))
               AND l.hash = vault.access_hash(l.previous, l.id, l.at, l.actor, l.action, l.secret,
                                              l.version, l.purpose) AS sound
        FROM vault.secret_access_log AS l WINDOW ordered AS (ORDER BY l.id)
    ), ending AS (
        SELECT count(*) AS entries, max(id) AS last,
               min(place) FILTER (WHERE NOT sound OR id <> place) AS broken,
               (SELECT r.hash FROM rows AS r ORDER BY r.id DESC LIMIT 1) AS hash
        FROM rows
    )
    SELECT e.entries,
           CASE WHEN e.broken IS NOT NULL THEN e.broken
                WHEN h.entries = e.entries
                 AND h.hash = coalesce(e.hash, decode(repeat('00', 32), 'hex')) THEN NULL
                WHEN h.entries > e.entries THEN e.entries + 1
                ELSE greatest(e.entries, 1)
           END,
           h.hash
    FROM ending AS e LEFT JOIN vault.secret_access_log_head AS h ON true
$$;

CREATE FUNCTION vault.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'UC002';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON vault.secret_access_log
    FOR EACH STATEMENT EXECUTE FUNCTION vault.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON vault.secret_access_log_head
    FOR EACH STATEMENT EXECUTE FUNCTION vault.refuse_change();

-- Keep a ciphertext as the version of a secret that follows `seen` (0: as its first), and log it.
-- Returns the new version; NULL where the secret has moved on meanwhile, or was put away and is only
-- made anew as it was (an action other than set and generate); 0 where the data key is no
-- longer active, and the value is to be encrypted anew.
CREATE FUNCTION vault.store_secret(
    secret text, seen integer, key uuid, nonce bytea, ciphertext bytea, fingerprint text,
    kind text, description text, recipe jsonb, expires_at timestamptz, actor text, action text,
    purpose text DEFAULT ''
) RETURNS integer
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE vault.encryption_keys AS k SET encryptions = k.encryptions + 1
    WHERE k.id = store_secret.key AND k.state = 'active';
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    PERFORM vault.hold_log();
    IF seen = 0 THEN
        INSERT INTO vault.secrets AS s (name, kind, description, recipe, expires_at, created_by,
            updated_by)
        VALUES (secret, coalesce(store_secret.kind, ''), coalesce(store_secret.description, ''),
            store_secret.recipe, store_secret.expires_at, actor, actor)
        ON CONFLICT (name) DO NOTHING;
    ELSE
        UPDATE vault.secrets AS s
        SET version = seen + 1, kind = coalesce(store_secret.kind, s.kind),
            description = coalesce(store_secret.description, s.description),
            recipe = store_secret.recipe, expires_at = store_secret.expires_at,
            deleted_at = NULL, updated_at = clock_timestamp(), updated_by = actor
        WHERE s.name = secret AND s.version = seen
          AND (s.deleted_at IS NULL OR action IN ('set', 'generate'));
    END IF;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO vault.secret_versions (name, version, key_id, nonce, ciphertext, fingerprint,
        created_by)
    VALUES (secret, seen + 1, key, store_secret.nonce, store_secret.ciphertext,
        store_secret.fingerprint, actor);
    PERFORM vault.log_access(actor, action, ARRAY[secret], ARRAY[seen + 1], purpose);
    RETURN seen + 1;
END
$$;

-- Whether a person has allowed that a secret be shown now. A permission for one time is used up, where
-- there is no other. The log has its row either way.
CREATE FUNCTION vault.take_permission(secret text, version integer, actor text, purpose text)
RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    allowed boolean;
BEGIN
    -- One at a time from here on, each seeing what those before have used up.
    PERFORM vault.hold_log();
    UPDATE vault.reveal_permissions AS p SET used_at = clock_timestamp()
    WHERE p.id = (SELECT q.id FROM vault.reveal_permissions AS q
                  WHERE q.name = secret AND q.expires_at > clock_timestamp()
                    AND (q.used_at IS NULL OR NOT q.once)
                  ORDER BY q.once, q.id LIMIT 1);
    allowed := FOUND;
    PERFORM vault.log_access(actor, CASE WHEN allowed THEN 'reveal' ELSE 'refuse' END,
        ARRAY[secret], ARRAY[version], purpose);
    RETURN allowed;
END
$$;

CREATE VIEW vault.secrets_expiring_soon AS
SELECT s.name, s.kind, s.description, s.version, s.expires_at,
       s.expires_at <= clock_timestamp() AS expired
FROM vault.secrets AS s
WHERE s.deleted_at IS NULL AND s.expires_at < clock_timestamp() + interval '14 days';

CREATE VIEW vault.secrets_needing_rotation AS
SELECT s.name, s.kind, s.description, s.version, r.every_days, v.created_at AS rotated_at,
       v.created_at + make_interval(days => r.every_days) AS due_at
FROM vault.secrets AS s
JOIN vault.secret_rotation_schedule AS r ON r.name = s.name
JOIN vault.secret_versions AS v ON v.name = s.name AND v.version = s.version
WHERE s.deleted_at IS NULL
  AND v.created_at + make_interval(days => r.every_days) <= clock_timestamp();

REVOKE ALL ON FUNCTION vault.hold_log, vault.log_access, vault.verify_access_log FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vault.hold_log, vault.log_access, vault.verify_access_log TO :app;
GRANT SELECT, INSERT, UPDATE, DELETE ON vault.encryption_keys, vault.secret_rotation_schedule,
    vault.reveal_permissions TO :app;
GRANT SELECT, INSERT, UPDATE ON vault.secrets, vault.secret_versions TO :app;
GRANT SELECT ON vault.secret_templates, vault.secret_access_log, vault.secret_access_log_head,
    vault.secrets_expiring_soon, vault.secrets_needing_rotation TO :app;
