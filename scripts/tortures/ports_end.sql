-- What is left of the ports room at the end.

-- last_expiry --
-- Seconds until the last reservation is over.
SELECT coalesce(extract(epoch FROM max(expires_at) - clock_timestamp())::float, 0) AS seconds
FROM public.port_reservations;

-- list_given --
-- Who has which port.
SELECT project || ' ' || worktree || ' ' || service AS asker, worktree, port
FROM public.port_allocations WHERE service IS NOT NULL;

-- list_reserved --
-- What reservations have left, and the ports that they hold.
SELECT r.id::text AS reservation, a.port
FROM public.port_reservations AS r
FULL JOIN (SELECT * FROM public.port_allocations WHERE reservation_id IS NOT NULL) AS a
    ON a.reservation_id = r.id;

-- list_sessions --
-- Sessions of the product.
SELECT pid, state FROM pg_stat_activity
WHERE backend_type = 'client backend' AND usename = 'undercroft';
