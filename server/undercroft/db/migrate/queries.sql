-- The migrator's conversation with a database. The catalog that `verify` reads stands in catalog.sql,
-- the table behind all this in ledger.sql.

-- list_entries --
-- What the ledger knows of a line; fails with 42P01 where no ledger exists yet.
SELECT version, name, checksum, state, statements_done, runner, applied_at, applied_by, duration_ms
FROM undercroft.migration_history
WHERE line = $1
ORDER BY version;

-- ledger_exists --
-- Whether the ledger has been made.
SELECT to_regclass('undercroft.migration_history') IS NOT NULL;

-- try_runner_lock --
-- One row for the one runner of this database; released with the transaction. The key is "underc".
SELECT WHERE pg_try_advisory_xact_lock(x'756e64657263'::bigint);

-- lift_timeouts --
-- No timeout of the server may end the transaction that keeps the lock (the last one: since 17).
SELECT set_config('statement_timeout', '0', true),
       set_config('idle_in_transaction_session_timeout', '0', true),
       CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL
            THEN set_config('transaction_timeout', '0', true) END;

-- set_transaction --
-- Role, patience for locks, a search path that does not depend on who runs, and no timeouts.
SELECT set_config('role', $1, true),
       set_config('lock_timeout', $2, true),
       set_config('search_path', 'public', true),
       set_config('statement_timeout', '0', true),
       set_config('idle_in_transaction_session_timeout', '0', true),
       CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL
            THEN set_config('transaction_timeout', '0', true) END;

-- set_session --
-- The same for a statement that cannot run inside a transaction.
SELECT set_config('role', $1, false),
       set_config('lock_timeout', $2, false),
       set_config('search_path', 'public', false),
       set_config('statement_timeout', '0', false),
       set_config('idle_in_transaction_session_timeout', '0', false),
       CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL
            THEN set_config('transaction_timeout', '0', false) END;

-- describe_session --
-- Whose login this is, and which backend serves it.
SELECT session_user::text AS login, pg_backend_pid() AS pid;

-- begin_entry --
-- First statement of a migration: the row that no second runner can insert.
INSERT INTO undercroft.migration_history (line, version, name, checksum, state, runner)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (line, version) DO NOTHING
RETURNING version;

-- take_over_entry --
-- Resume what a runner left in one of the states $5; from now on only this runner's steps count.
UPDATE undercroft.migration_history
SET runner = $3, state = $4, name = $6, checksum = $7,
    statements_done = CASE WHEN state = $4 THEN statements_done ELSE 0 END
WHERE line = $1 AND version = $2 AND state = ANY ($5::text[])
RETURNING statements_done;

-- record_step --
-- A statement is done; touches nothing when another runner has taken over.
UPDATE undercroft.migration_history
SET statements_done = $4
WHERE line = $1 AND version = $2 AND runner = $3 AND state IN ('running', 'reverting')
RETURNING version;

-- confirm_runner --
-- Holds the row while a step runs; no row when another runner has taken over.
SELECT version FROM undercroft.migration_history
WHERE line = $1 AND version = $2 AND runner = $3 AND state IN ('running', 'reverting')
FOR UPDATE;

-- finish_entry --
-- The migration is applied.
UPDATE undercroft.migration_history
SET state = 'applied',
    duration_ms = (extract(epoch FROM clock_timestamp() - applied_at) * 1000)::bigint
WHERE line = $1 AND version = $2 AND runner = $3
RETURNING version;

-- remove_entry --
-- First statement of a rollback, or the last one of a rollback statement by statement.
DELETE FROM undercroft.migration_history
WHERE line = $1 AND version = $2
RETURNING version;

-- table_exists --
-- Whether a relation of that name can be seen.
SELECT to_regclass($1) IS NOT NULL;

-- find_index --
-- The index of that name on that table, and whether it is usable.
SELECT quote_ident(space.nspname) || '.' || quote_ident(named.relname) AS name, found.indisvalid AS valid
FROM pg_index AS found
JOIN pg_class AS named ON named.oid = found.indexrelid
JOIN pg_namespace AS space ON space.oid = named.relnamespace
WHERE found.indrelid = to_regclass($1) AND named.relname = $2;

-- list_scratch_databases --
-- What a killed `verify` has left behind: older than an hour by the name's own clock.
SELECT datname FROM pg_database
WHERE datname ~ '^undercroft_verify_[0-9]+_[0-9a-f]+$'
  AND split_part(datname, '_', 3)::numeric < extract(epoch FROM now()) - 3600;

-- server_clock --
-- Seconds since 1970 by the server's clock.
SELECT floor(extract(epoch FROM clock_timestamp()))::bigint;
