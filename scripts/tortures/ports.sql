-- What holds of the ports room at any moment, whoever is at work: each block names what it finds.
-- One statement sees one moment.

-- map_differs --
-- A port of which the map says another thing than the rows, the well-known ports and the rule that
-- what lies below 1024 needs rights.
SELECT o.host || ' ' || port AS fault
FROM public.port_occupancy AS o
CROSS JOIN LATERAL generate_series(o.block * 1024, o.block * 1024 + 1023) AS port
LEFT JOIN (SELECT DISTINCT host, port FROM public.port_allocations) AS a USING (host, port)
LEFT JOIN public.well_known_ports AS k USING (port)
WHERE (get_bit(o.taken, port % 1024) = 1)
      <> (port < 1024 OR a.port IS NOT NULL OR k.port IS NOT NULL);

-- port_twice --
-- A port with two rows.
SELECT host || ' ' || port AS fault FROM public.port_allocations
GROUP BY host, port HAVING count(*) > 1;

-- group_in_part --
-- Services that are only ever asked for together, of which some have ports and some have none, or
-- that do not follow each other though they should. A worktree that is gone is reclaimed by and by.
SELECT min(service) AS fault, worktree FROM public.port_allocations
WHERE service ~ '^(group|block)-'
GROUP BY project, worktree, substring(service FROM '^[a-z]+-[0-9]+')
HAVING count(*) <> CASE WHEN min(service) LIKE 'group%' THEN 3 ELSE 4 END
    OR (min(service) LIKE 'block%' AND max(port) - min(port) <> 3);

-- reservation_in_part --
-- A reservation with fewer ports than it was made for, or more.
SELECT r.id || ': ' || count(a.port) || ' of ' || r.purpose AS fault
FROM public.port_reservations AS r
LEFT JOIN public.port_allocations AS a ON a.reservation_id = r.id
WHERE r.purpose <> 'any'
GROUP BY r.id HAVING count(a.port)::text <> r.purpose;
