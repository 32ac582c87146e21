-- What the ports room is measured beside: the bare statements; for benchmarks only.

-- insert_port --
-- One row into the table itself, with its constraints and its trigger.
INSERT INTO public.port_allocations (host, port, project, worktree, service, allocated_by)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING port;

-- insert_ports --
-- As many rows as services, in one statement.
INSERT INTO public.port_allocations (host, port, project, worktree, service, allocated_by)
SELECT $1, s.port, $3, $4, s.service, $6
FROM unnest($2::int[], $5::text[]) AS s (port, service)
RETURNING port;

-- get_port --
-- The port of an asker.
SELECT port FROM public.port_allocations
WHERE project = $1 AND worktree = $2 AND service = $3 AND host = $4;

-- create_plain_table --
-- The same columns with a primary key, and nothing else.
CREATE TABLE public.plain_port_allocations
    (LIKE public.port_allocations INCLUDING DEFAULTS, PRIMARY KEY (host, port));

-- insert_plain --
-- One row into that.
INSERT INTO public.plain_port_allocations (host, port, project, worktree, service, allocated_by)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING port;

-- insert_host --
-- A machine as the room would introduce it.
INSERT INTO public.port_hosts (id, name, ephemeral) VALUES ($1, $1, '[32768,61000)');

-- fill_range --
-- Everything that can be given in a range but for some ports.
INSERT INTO public.port_allocations (host, port, project, service)
SELECT $1, port, $3, 'service-' || port
FROM public.port_ranges AS r, generate_series(lower(r.ports), upper(r.ports) - 1) AS port
WHERE r.name = $2 AND port <> ALL ($4::int[])
RETURNING port;

-- list_well_known --
-- Ports of a range that are nobody's to get.
SELECT k.port FROM public.well_known_ports AS k, public.port_ranges AS r
WHERE r.name = $1 AND r.ports @> k.port;

-- find_port --
-- A free port of a range.
SELECT public.find_available_port($1, $2);
