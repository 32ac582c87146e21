-- applied_checksums --
-- Checksums of a line in order, NULL where a step is not plainly applied; 42P01: there is no ledger.
SELECT array_agg(CASE state WHEN 'applied' THEN checksum END ORDER BY version)
FROM undercroft.migration_history
WHERE line = $1;
