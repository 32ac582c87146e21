-- try_alone --
-- True for the one session that may do this on the whole server; ends with the transaction.
SELECT pg_try_advisory_xact_lock(hashtextextended('undercroft.' || $1, 0));
