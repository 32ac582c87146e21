-- A retry of a call from before will be done a second time.
DROP TABLE undercroft.idempotency_keys;
