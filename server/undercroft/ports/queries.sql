-- get_range --
-- First port of a range, and the one after the last.
SELECT lower(ports) AS first, upper(ports) AS after FROM public.port_ranges WHERE name = $1;

-- list_ranges --
-- Ranges with how many ports of them are somebody's on a machine, by their first port.
SELECT r.name, lower(r.ports) AS first_port, upper(r.ports) - 1 AS last_port, r.description,
       (SELECT count(*)::int FROM public.port_allocations AS a
        WHERE a.host = $1 AND a.port BETWEEN lower(r.ports) AND upper(r.ports) - 1) AS used
FROM public.port_ranges AS r
ORDER BY r.ports;

-- insert_range --
-- A range of ports; no row where its name is taken.
INSERT INTO public.port_ranges (name, ports, description, created_by)
VALUES ($1, int4range($2, $3 + 1), $4, $5)
ON CONFLICT (name) DO NOTHING
RETURNING name;

-- register_host --
-- Note what a machine is called and what its kernel keeps, where that is news.
INSERT INTO public.port_hosts AS h (id, name, ephemeral)
VALUES ($1, $2, int4range($3, $4))
ON CONFLICT (id) DO UPDATE
SET name = EXCLUDED.name, ephemeral = EXCLUDED.ephemeral, updated_at = clock_timestamp()
WHERE (h.name, h.ephemeral) IS DISTINCT FROM (EXCLUDED.name, EXCLUDED.ephemeral);

-- allocate_port writes --
-- The port of a service, the same each time; NULL where none of the candidates is free.
SELECT public.allocate_port($1, $2, $3, $4, $5, $6, $7::int[], $8);

-- allocate_ports writes --
-- The ports of several services, all or none.
SELECT service, port FROM public.allocate_ports($1, $2, $3::text[], $4, $5, $6, $7::int[], $8);

-- find_ports --
-- Ports that are free as far as the database knows, but for those to avoid.
SELECT public.find_available_ports($1, $2, $3, $4, $5, $6::int[]);

-- list_missing --
-- Services of an asker that have no port yet, in their order.
SELECT s.service FROM unnest($4::text[]) WITH ORDINALITY AS s (service, n)
WHERE NOT EXISTS (SELECT FROM public.port_allocations AS a
                  WHERE a.project = $2 AND a.worktree = $3 AND a.service = s.service
                    AND a.host = $1)
ORDER BY s.n;

-- reserve_ports writes --
-- Hold ports for some seconds; NULL where one of the candidates is taken by now.
SELECT public.reserve_ports($1, $2, $3, make_interval(secs => $4), $5, $6, $7, $8::int[], $9);

-- get_reservation --
-- A reservation that still holds, with its ports.
SELECT r.id AS reservation, array_agg(a.port ORDER BY a.port) AS ports, r.expires_at
FROM public.port_reservations AS r
JOIN public.port_allocations AS a ON a.reservation_id = r.id
WHERE r.id = $1 AND r.project = $2 AND r.expires_at > clock_timestamp()
GROUP BY r.id;

-- renew_reservation --
-- Hold for some seconds from now what is still held.
UPDATE public.port_reservations SET expires_at = clock_timestamp() + make_interval(secs => $3)
WHERE id = $1 AND project = $2 AND expires_at > clock_timestamp()
RETURNING id;

-- delete_reservation --
-- Let go what is held; the ports go with it.
DELETE FROM public.port_reservations WHERE id = $1 AND project = $2 RETURNING id;

-- release_services writes --
-- Give back the ports of an asker's services.
SELECT public.release_ports($1, $2, array_agg(port), array_agg(allocated_at)) AS port
FROM public.port_allocations
WHERE host = $1 AND project = $2 AND worktree = $3 AND service = ANY ($4::text[]);

-- release_port writes --
-- Give back one port of a project.
SELECT public.release_port($1, $2, $3);

-- list_ports --
-- Ports of a project (empty: of all) on a machine after a number, in their order.
SELECT port, service, project, nullif(worktree, '') AS worktree, host_name AS host,
       reservation_id AS reservation, expires_at, state, pid, process, since, http,
       latency_ms, checked_at
FROM public.active_port_allocations
WHERE host = $1 AND (project = $2 OR $2 = '') AND port > $3
ORDER BY port
LIMIT $4;

-- get_port --
-- Who has a port of a machine.
SELECT port, service, project, nullif(worktree, '') AS worktree, host_name AS host,
       reservation_id AS reservation, expires_at, state, pid, process, since, http,
       latency_ms, checked_at
FROM public.active_port_allocations
WHERE host = $1 AND port = $2;

-- list_asker_ports --
-- Ports that an asker has for services of its own.
SELECT service, port FROM public.port_allocations
WHERE host = $1 AND project = $2 AND worktree = $3 AND service IS NOT NULL
ORDER BY service;

-- record_sightings --
-- Keep what was seen on ports as their status, and in the history of each.
WITH seen AS (
    SELECT a.host, a.port, a.project, a.service, s.state, s.pid, s.process, s.since, s.http, s.latency
    FROM unnest($2::int[], $3::text[], $4::int[], $5::text[], $6::timestamptz[], $7::int[], $8::real[])
         AS s (port, state, pid, process, since, http, latency)
    JOIN public.port_allocations AS a ON a.host = $1 AND a.port = s.port
), kept AS (
    INSERT INTO public.port_health_checks
        (host, port, project, service, state, pid, process, http, latency_ms)
    SELECT host, port, project, service, state, pid, process, http, latency FROM seen
)
INSERT INTO public.service_status AS old
    (host, port, state, pid, process, since, http, latency_ms)
SELECT host, port, state, pid, process, since, http, latency FROM seen ORDER BY port
ON CONFLICT (host, port) DO UPDATE
SET state = EXCLUDED.state, pid = EXCLUDED.pid, process = EXCLUDED.process,
    since = EXCLUDED.since, http = EXCLUDED.http, latency_ms = EXCLUDED.latency_ms,
    checked_at = EXCLUDED.checked_at,
    changed_at = CASE WHEN (old.state, old.pid) IS DISTINCT FROM (EXCLUDED.state, EXCLUDED.pid)
                      THEN EXCLUDED.checked_at ELSE old.changed_at END;

-- list_history --
-- Times at which something else was seen on a port than the time before, newest first.
SELECT state, pid, process, http, checked_at FROM (
    SELECT c.*, (c.state, c.pid) IS NOT DISTINCT FROM
                (lag(c.state) OVER w, lag(c.pid) OVER w) AS unchanged
    FROM public.port_health_checks AS c
    WHERE c.host = $1 AND c.port = $2
    WINDOW w AS (ORDER BY c.checked_at, c.id)
) AS seen
WHERE NOT unchanged
ORDER BY checked_at DESC
LIMIT $3;

-- purge_sightings --
-- Forget what was seen more than a month ago.
DELETE FROM public.port_health_checks WHERE checked_at < now() - interval '30 days';

-- list_reclaimable --
-- Ports of a machine that may have lost their reason: of worktrees, and of projects put away.
SELECT a.port, a.service, a.project, nullif(a.worktree, '') AS worktree,
       p.state <> 'ready' AS archived, a.allocated_at
FROM public.port_allocations AS a
JOIN public.projects AS p ON p.name = a.project
WHERE a.host = $1 AND a.service IS NOT NULL AND (a.worktree <> '' OR p.state <> 'ready')
ORDER BY a.port;

-- release_lost writes --
-- Give back ports that are still whose they were when they were listed.
SELECT public.release_ports($1, NULL, $2::int[], $3::timestamptz[]) AS port;

-- list_expired --
-- Ports that are still held by a reservation that is over.
SELECT a.port, a.service, a.project, nullif(a.worktree, '') AS worktree
FROM public.port_allocations AS a
JOIN public.port_reservations AS r ON r.id = a.reservation_id
WHERE r.expires_at <= clock_timestamp()
ORDER BY a.port;

-- cleanup_reservations writes --
-- Take back what was held until a time that has passed.
SELECT public.cleanup_expired_reservations();
