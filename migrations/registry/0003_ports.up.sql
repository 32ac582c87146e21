-- Ports: who has which number on which machine.
--
--   port_hosts ──< port_occupancy       a machine, and a map of its 65,536 ports
--       │
--       ├──< port_allocations >── port_reservations
--       │          the truth: one row per host and port, given to a service or held for a while
--       └──< service_status, port_health_checks
--                  what stood on a port when somebody last looked, and what was seen before
--
-- Every guarantee stands here and not in the server: `SELECT allocate_port(host, project, service)`
-- from any SQL client gets a port that nobody else has. What no database can know, whether another
-- program listens on the machine, the server probes before it asks.
--
-- A free port is found in the map, one bit per port, which a trigger keeps in the transaction of the
-- allocation: a range of 10,000 is ten rows of it, however full it is. The map only proposes; two that
-- choose the same port meet in the primary key of port_allocations.

CREATE TABLE public.port_hosts (
    -- A machine's own identity, not its name, which changes and is not unique.
    id         text PRIMARY KEY,
    name       text NOT NULL DEFAULT '',
    -- What the kernel gives to outgoing connections; the default covers Linux, macOS and Windows.
    ephemeral  int4range NOT NULL DEFAULT '[32768,65536)',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT valid_port_host CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$')
);

CREATE TABLE public.port_ranges (
    name        text PRIMARY KEY,
    ports       int4range NOT NULL,
    description text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    created_by  text NOT NULL DEFAULT 'claude-code',
    CONSTRAINT valid_port_range_name CHECK (name ~ '^[a-z][a-z0-9_-]{0,47}$'),
    -- Below 1024 a program needs rights that a development server should not have.
    CONSTRAINT valid_port_range CHECK (ports <@ '[1024,65536)'::int4range AND NOT isempty(ports)),
    CONSTRAINT port_ranges_overlap EXCLUDE USING gist (ports WITH &&)
);

INSERT INTO public.port_ranges (name, ports, description, created_by) VALUES
    ('default', '[20000,30000)', 'What is given out where no range is named', 'undercroft');

CREATE TABLE public.well_known_ports (
    port    integer PRIMARY KEY,
    service text NOT NULL,
    CONSTRAINT valid_well_known_port CHECK (port BETWEEN 1 AND 65535)
);
COMMENT ON TABLE public.well_known_ports IS
    'Where a person expects a certain service (IANA''s registry, and the defaults of common software).';

INSERT INTO public.well_known_ports (port, service) VALUES
    (1080, 'socks'), (1194, 'openvpn'), (1352, 'lotus notes'), (1433, 'sql server'),
    (1521, 'oracle'), (1723, 'pptp'), (1883, 'mqtt'), (2049, 'nfs'), (2181, 'zookeeper'),
    (2375, 'docker'), (2376, 'docker over tls'), (2377, 'docker swarm'), (2379, 'etcd'),
    (2380, 'etcd peers'), (2424, 'orientdb'), (3000, 'web development'), (3128, 'squid'),
    (3260, 'iscsi'), (3268, 'ldap global catalog'), (3306, 'mysql'), (3389, 'rdp'),
    (3478, 'stun'), (3690, 'subversion'), (4000, 'web development'), (4200, 'angular'),
    (4222, 'nats'), (4317, 'opentelemetry grpc'), (4318, 'opentelemetry http'), (4369, 'epmd'),
    (4443, 'https development'), (4444, 'selenium'), (4567, 'galera'), (4840, 'opc ua'),
    (5000, 'web development'), (5001, 'web development'), (5044, 'logstash'), (5060, 'sip'),
    (5061, 'sip over tls'), (5173, 'vite'), (5222, 'xmpp'), (5269, 'xmpp servers'),
    (5353, 'mdns'), (5355, 'llmnr'), (5432, 'postgresql'), (5433, 'postgresql'),
    (5555, 'android debug bridge'), (5601, 'kibana'), (5671, 'amqp over tls'), (5672, 'amqp'),
    (5683, 'coap'), (5900, 'vnc'), (5984, 'couchdb'), (5985, 'winrm'), (6000, 'x11'),
    (6006, 'storybook'), (6379, 'redis'), (6432, 'pgbouncer'), (6443, 'kubernetes'),
    (6660, 'irc'), (6667, 'irc'), (6697, 'irc over tls'), (6881, 'bittorrent'), (7000, 'cassandra'),
    (7001, 'weblogic'), (7474, 'neo4j'), (7687, 'neo4j bolt'), (8000, 'web development'),
    (8008, 'http'), (8020, 'hdfs'), (8080, 'http'), (8081, 'http'), (8086, 'influxdb'),
    (8088, 'http'), (8123, 'clickhouse http'), (8125, 'statsd'), (8200, 'vault'),
    (8222, 'nats monitoring'), (8300, 'consul'), (8377, 'undercroft'), (8443, 'https'),
    (8500, 'consul'), (8529, 'arangodb'), (8554, 'rtsp'), (8600, 'consul dns'), (8888, 'jupyter'),
    (8983, 'solr'), (9000, 'web development'), (9042, 'cassandra'), (9090, 'prometheus'),
    (9092, 'kafka'), (9093, 'alertmanager'), (9100, 'node exporter'), (9200, 'elasticsearch'),
    (9229, 'node inspector'), (9300, 'elasticsearch'), (9411, 'zipkin'), (9418, 'git'),
    (9876, 'karma'), (9999, 'web development'), (10000, 'webmin'), (10250, 'kubelet'),
    (10255, 'kubelet'), (11211, 'memcached'), (11434, 'ollama'), (15672, 'rabbitmq management'),
    (15692, 'rabbitmq prometheus'), (16379, 'redis cluster'), (16686, 'jaeger'),
    (18080, 'http'), (19000, 'expo'), (19132, 'minecraft bedrock'), (20000, 'dnp3 and usermin'),
    (24224, 'fluentd'), (24678, 'vite reloading'), (24800, 'synergy'), (25565, 'minecraft'),
    (25575, 'minecraft console'), (26257, 'cockroachdb'), (26379, 'redis sentinel'),
    (27015, 'source engine'), (27017, 'mongodb'), (27018, 'mongodb shard'),
    (27019, 'mongodb config'), (28015, 'rethinkdb'), (28017, 'mongodb http'),
    (29015, 'rethinkdb cluster'), (29418, 'gerrit'), (32400, 'plex'), (35729, 'livereload'),
    (50051, 'grpc'), (51820, 'wireguard'), (54321, 'h2o'), (61616, 'activemq'),
    (64738, 'mumble');

CREATE TABLE public.port_reservations (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    host       text NOT NULL REFERENCES public.port_hosts ON DELETE CASCADE,
    project    text NOT NULL REFERENCES public.projects (name) ON UPDATE CASCADE ON DELETE CASCADE,
    purpose    text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX idx_port_reservations_expires_at ON public.port_reservations (expires_at);
CREATE INDEX idx_port_reservations_project ON public.port_reservations (project);

CREATE TABLE public.port_allocations (
    host           text NOT NULL REFERENCES public.port_hosts ON DELETE CASCADE,
    port           integer NOT NULL,
    project        text NOT NULL
        REFERENCES public.projects (name) ON UPDATE CASCADE ON DELETE CASCADE,
    -- Folder of the checkout that the service runs from; empty where it is the same for all.
    worktree       text NOT NULL DEFAULT '',
    service        text,
    reservation_id uuid REFERENCES public.port_reservations ON DELETE CASCADE,
    allocated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    allocated_by   text NOT NULL DEFAULT 'claude-code',
    -- One number is one holder's, over TCP and UDP, IPv4 and IPv6 alike.
    PRIMARY KEY (host, port),
    -- The same asker has the same port.
    CONSTRAINT port_allocations_asker UNIQUE (project, worktree, service, host),
    CONSTRAINT valid_port CHECK (port BETWEEN 1 AND 65535),
    CONSTRAINT valid_service CHECK (service ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'),
    CONSTRAINT valid_worktree CHECK (length(worktree) <= 4096),
    CONSTRAINT given_or_held CHECK ((service IS NULL) <> (reservation_id IS NULL))
);
CREATE INDEX idx_port_allocations_reservation ON public.port_allocations (reservation_id)
    WHERE reservation_id IS NOT NULL;

CREATE TABLE public.service_status (
    host       text NOT NULL,
    port       integer NOT NULL,
    state      text NOT NULL,
    pid        integer,
    process    text,
    -- When that process was started, not when it began to listen, which no system tells.
    since      timestamptz,
    http       integer,
    latency_ms real,
    checked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (host, port),
    FOREIGN KEY (host, port) REFERENCES public.port_allocations ON DELETE CASCADE,
    CONSTRAINT valid_service_state CHECK (state IN ('listening', 'silent', 'failing'))
);

CREATE TABLE public.port_health_checks (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host       text NOT NULL,
    port       integer NOT NULL,
    project    text NOT NULL,
    service    text,
    state      text NOT NULL,
    pid        integer,
    process    text,
    http       integer,
    latency_ms real,
    checked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX idx_port_health_checks_port ON public.port_health_checks (host, port, checked_at);
CREATE INDEX idx_port_health_checks_checked_at ON public.port_health_checks (checked_at);

CREATE TABLE public.port_occupancy (
    host  text NOT NULL REFERENCES public.port_hosts ON DELETE CASCADE,
    -- Ports 1024 × block to 1024 × block + 1023, the lowest first.
    block integer NOT NULL,
    taken bit(1024) NOT NULL,
    PRIMARY KEY (host, block)
) WITH (fillfactor = 50);

-- The bits of some ports of one block.
CREATE FUNCTION public.port_bits(ports integer[]) RETURNS bit
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT bit_or(set_bit(repeat('0', 1024)::bit(1024), port % 1024, 1)) FROM unnest(ports) AS port
$$;

-- A block of a new map: what is well known and what needs rights counts as taken.
CREATE FUNCTION public.fresh_port_block(block integer) RETURNS bit
LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT public.port_bits(array_agg(k.port)) FROM public.well_known_ports AS k
                     WHERE k.port / 1024 = block AND block > 0),
                    repeat(CASE block WHEN 0 THEN '1' ELSE '0' END, 1024)::bit(1024))
$$;

CREATE FUNCTION public.draw_port_map() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.port_occupancy (host, block, taken)
    SELECT NEW.id, block, public.fresh_port_block(block) FROM generate_series(0, 63) AS block;
    RETURN NULL;
END;
$$;

CREATE TRIGGER draw_port_map AFTER INSERT ON public.port_hosts
    FOR EACH ROW EXECUTE FUNCTION public.draw_port_map();

CREATE FUNCTION public.mark_ports_taken() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- In one order, or two that take several would wait for each other.
    PERFORM FROM public.port_occupancy AS o
    WHERE (o.host, o.block) IN (SELECT host, port / 1024 FROM changed)
    ORDER BY o.host, o.block FOR UPDATE;
    UPDATE public.port_occupancy AS o SET taken = o.taken | c.bits
    FROM (SELECT host, port / 1024 AS block, public.port_bits(array_agg(port)) AS bits
          FROM changed GROUP BY host, port / 1024) AS c
    WHERE o.host = c.host AND o.block = c.block;
    RETURN NULL;
END;
$$;

CREATE FUNCTION public.mark_ports_free() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM public.port_occupancy AS o
    WHERE (o.host, o.block) IN (SELECT host, port / 1024 FROM changed)
    ORDER BY o.host, o.block FOR UPDATE;
    UPDATE public.port_occupancy AS o SET taken = o.taken & ~c.bits
    FROM (SELECT host, port / 1024 AS block, public.port_bits(array_agg(port)) AS bits
          FROM changed
          WHERE port >= 1024 AND port NOT IN (SELECT k.port FROM public.well_known_ports AS k)
          GROUP BY host, port / 1024) AS c
    WHERE o.host = c.host AND o.block = c.block;
    RETURN NULL;
END;
$$;

CREATE TRIGGER mark_ports_taken AFTER INSERT ON public.port_allocations
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION public.mark_ports_taken();
CREATE TRIGGER mark_ports_free AFTER DELETE ON public.port_allocations
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION public.mark_ports_free();

CREATE FUNCTION public.keep_port_in_place() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a port is released and allocated, not moved' USING ERRCODE = 'integrity_constraint_violation';
END;
$$;

CREATE TRIGGER keep_port_in_place BEFORE UPDATE OF host, port ON public.port_allocations
    FOR EACH ROW WHEN (OLD.host <> NEW.host OR OLD.port <> NEW.port)
    EXECUTE FUNCTION public.keep_port_in_place();

-- Free ports of a range in the order in which an asker should try them, `count` of them, or
-- `count` that follow each other. Promises nothing. Each asker begins at a place of its own, so
-- that it mostly gets the same port again, and others look elsewhere.
-- Raises UC101 where the range has not as many, UC102 where there is no such range.
CREATE FUNCTION public.find_available_ports(
    host text, range text, count integer, contiguous boolean DEFAULT false, asker text DEFAULT '',
    avoid integer[] DEFAULT '{}'
) RETURNS integer[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted int4range;
    closed int4range;
    first integer;
    size integer;
    map text;
    start integer;
    place integer;
    answer integer[] := '{}';
    step integer := CASE WHEN contiguous THEN count ELSE 1 END;
BEGIN
    SELECT r.ports INTO wanted FROM public.port_ranges AS r WHERE r.name = range;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such range of ports' USING ERRCODE = 'UC102';
    END IF;
    first := lower(wanted);
    size := upper(wanted) - first;
    SELECT string_agg(coalesce(o.taken, public.fresh_port_block(b))::text, '' ORDER BY b) INTO map
    FROM generate_series(first / 1024, (upper(wanted) - 1) / 1024) AS b
    LEFT JOIN public.port_occupancy AS o ON o.host = find_available_ports.host AND o.block = b;
    map := substr(map, first % 1024 + 1, size);
    closed := wanted * coalesce((SELECT h.ephemeral FROM public.port_hosts AS h
                                 WHERE h.id = find_available_ports.host), '[32768,65536)');
    IF NOT isempty(closed) THEN
        map := overlay(map PLACING repeat('1', upper(closed) - lower(closed))
                       FROM lower(closed) - first + 1);
    END IF;
    FOREACH place IN ARRAY avoid LOOP
        IF place <@ wanted THEN
            map := overlay(map PLACING '1' FROM place - first + 1);
        END IF;
    END LOOP;
    start := ('x' || left(encode(sha256(convert_to(asker, 'UTF8')), 'hex'), 7))::bit(28)::integer % size;
    WHILE cardinality(answer) < count LOOP
        place := strpos(substr(map, start + 1), repeat('0', step));
        IF place > 0 THEN
            place := place + start;
        ELSE
            place := strpos(map, repeat('0', step));
        END IF;
        IF place = 0 THEN
            RAISE EXCEPTION 'the range has not as many free ports' USING ERRCODE = 'UC101';
        END IF;
        answer := answer || ARRAY(SELECT first + place - 1 + i FROM generate_series(0, step - 1) AS i);
        map := overlay(map PLACING repeat('1', step) FROM place);
        start := place - 1;
    END LOOP;
    RETURN answer;
END;
$$;

-- One free port; promises nothing.
CREATE FUNCTION public.find_available_port(host text, range text DEFAULT 'default') RETURNS integer
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (public.find_available_ports(host, range, 1))[1];
END;
$$;

-- Take back what was held until a time that has passed; the number of ports.
CREATE FUNCTION public.cleanup_expired_reservations() RETURNS integer
LANGUAGE sql AS $$
    WITH late AS (
        SELECT r.id FROM public.port_reservations AS r
        WHERE r.expires_at <= clock_timestamp()
        ORDER BY r.id
        FOR UPDATE SKIP LOCKED
    ), freed AS (
        DELETE FROM public.port_allocations AS a USING late
        WHERE a.reservation_id = late.id
        RETURNING a.port
    ), gone AS (
        DELETE FROM public.port_reservations AS r USING late WHERE r.id = late.id
    )
    SELECT count(*)::integer FROM freed
$$;

-- As find_available_ports, and where there are not enough, what was held for too long is taken back.
-- Only there: it locks blocks of the map that others may wait for.
CREATE FUNCTION public.search_ports(
    host text, range text, count integer, contiguous boolean, asker text
) RETURNS integer[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN public.find_available_ports(host, range, count, contiguous, asker);
EXCEPTION WHEN SQLSTATE 'UC101' THEN
    IF public.cleanup_expired_reservations() = 0 THEN
        RAISE;
    END IF;
    RETURN public.find_available_ports(host, range, count, contiguous, asker);
END;
$$;

-- Write that a port is this asker's, where it is free; the asker's port, or NULL. `number`: it was
-- asked for by number, whatever range it lies in and whoever expects another service there.
CREATE FUNCTION public.take_port(
    host text, port integer, project text, worktree text, service text, range text,
    number boolean, actor text
) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    given integer;
BEGIN
    -- The block before the port: whoever holds a port that is not committed holds its block too,
    -- so that nobody waits for a port while another waits for him.
    PERFORM FROM public.port_occupancy AS o
    WHERE o.host = host AND o.block = port / 1024
      AND (number OR get_bit(o.taken, port % 1024) = 0
           AND EXISTS (SELECT FROM public.port_ranges AS r, public.port_hosts AS h
                       WHERE r.name = range AND r.ports @> port
                         AND h.id = host AND NOT h.ephemeral @> port))
    FOR UPDATE OF o;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO public.port_allocations AS a (host, port, project, worktree, service, allocated_by)
    VALUES (host, port, project, worktree, service, actor)
    ON CONFLICT DO NOTHING
    RETURNING a.port INTO given;
    IF given IS NULL THEN
        -- The same asker may have been answered in this moment.
        SELECT a.port INTO given FROM public.port_allocations AS a
        WHERE a.project = project AND a.worktree = worktree AND a.service = service
          AND a.host = host;
    END IF;
    RETURN given;
END;
$$;

-- The port of one service: the same each time, a new one at the first. `preferred`: this one
-- where it is free, or held for this project. `candidates`: only one of these, since somebody has
-- probed them; NULL where none of them is free by now.
-- Raises UC101 and UC102 as find_available_ports does.
CREATE FUNCTION public.allocate_port(
    host text, project text, service text, worktree text DEFAULT '',
    range text DEFAULT 'default', preferred integer DEFAULT NULL,
    candidates integer[] DEFAULT NULL, actor text DEFAULT 'sql'
) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    given integer;
    choice integer;
BEGIN
    SELECT a.port INTO given FROM public.port_allocations AS a
    WHERE a.project = project AND a.worktree = worktree AND a.service = service AND a.host = host;
    IF FOUND THEN
        RETURN given;
    END IF;
    INSERT INTO public.port_hosts (id) VALUES (host) ON CONFLICT DO NOTHING;
    IF preferred IS NOT NULL THEN
        IF EXISTS (SELECT FROM public.port_allocations AS a
                   JOIN public.port_reservations AS r ON r.id = a.reservation_id
                   WHERE a.host = host AND a.port = preferred
                     AND r.expires_at <= clock_timestamp()) THEN
            PERFORM public.cleanup_expired_reservations();
        END IF;
        UPDATE public.port_allocations AS a
        SET service = allocate_port.service, worktree = allocate_port.worktree,
            reservation_id = NULL, allocated_by = actor, allocated_at = clock_timestamp()
        FROM public.port_reservations AS r
        WHERE a.host = host AND a.port = preferred
          AND r.id = a.reservation_id AND r.project = project
        RETURNING a.port INTO given;
        given := coalesce(given, public.take_port(
            host, preferred, project, worktree, service, range, true, actor));
        IF given IS NOT NULL THEN
            RETURN given;
        END IF;
    END IF;
    IF candidates IS NOT NULL THEN
        FOREACH choice IN ARRAY candidates LOOP
            given := public.take_port(
                host, choice, project, worktree, service, range, false, actor);
            EXIT WHEN given IS NOT NULL;
        END LOOP;
        RETURN given;
    END IF;
    FOR try IN 1..100 LOOP
        choice := (public.search_ports(
            host, range, 1, false, concat_ws('/', project, worktree, service)))[1];
        given := public.take_port(host, choice, project, worktree, service, range, false, actor);
        IF given IS NOT NULL THEN
            RETURN given;
        END IF;
    END LOOP;
    -- Seen from one old snapshot, what another has taken stays free.
    RAISE EXCEPTION 'others were faster each time' USING ERRCODE = '40001';
END;
$$;

-- The ports of several services of one asker, all or none; `contiguous`: new ones follow each other.
-- No row where one of the `candidates` is taken by now; else as allocate_port.
CREATE FUNCTION public.allocate_ports(
    host text, project text, services text[], worktree text DEFAULT '',
    range text DEFAULT 'default', contiguous boolean DEFAULT false,
    candidates integer[] DEFAULT NULL, actor text DEFAULT 'sql'
) RETURNS TABLE (service text, port integer)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    missing text[];
    left_over integer[];
    given integer[];
BEGIN
    INSERT INTO public.port_hosts (id) VALUES (host) ON CONFLICT DO NOTHING;
    -- One at a time: two that take several in different order would wait for each other.
    PERFORM FROM public.port_hosts AS h WHERE h.id = host FOR NO KEY UPDATE;
    FOR try IN 1..100 LOOP
        left_over := candidates;
        IF candidates IS NULL AND contiguous THEN
            SELECT array_agg(s) INTO missing FROM unnest(services) AS s
            WHERE NOT EXISTS (SELECT FROM public.port_allocations AS a
                              WHERE a.project = project AND a.worktree = worktree
                                AND a.service = s AND a.host = host);
            left_over := public.search_ports(
                host, range, coalesce(cardinality(missing), 0), true,
                concat_ws('/', project, worktree, missing[1]));
        END IF;
        given := '{}';
        BEGIN
            FOREACH service IN ARRAY services LOOP
                -- Of ports that follow each other the next one, and no other.
                port := public.allocate_port(
                    host, project, service, worktree, range, NULL,
                    CASE WHEN contiguous THEN left_over[1:1] ELSE left_over END, actor);
                IF port IS NULL THEN
                    RAISE EXCEPTION 'another took one of them' USING ERRCODE = 'UC103';
                END IF;
                given := given || port;
                left_over := array_remove(left_over, port);
            END LOOP;
            RETURN QUERY SELECT * FROM unnest(services, given);
            RETURN;
        EXCEPTION WHEN SQLSTATE 'UC103' THEN
            IF candidates IS NOT NULL THEN
                RETURN;
            END IF;
        END;
    END LOOP;
    RAISE EXCEPTION 'others were faster each time' USING ERRCODE = '40001';
END;
$$;

-- Hold ports for a while by the database's clock: the reservation, or NULL where one of the
-- `candidates` is taken by now. `contiguous`, `range` and errors as in find_available_ports.
CREATE FUNCTION public.reserve_ports(
    host text, project text, count integer, ttl interval, range text DEFAULT 'default',
    contiguous boolean DEFAULT false, purpose text DEFAULT '',
    candidates integer[] DEFAULT NULL, actor text DEFAULT 'sql'
) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    chosen integer[];
    reservation uuid;
BEGIN
    INSERT INTO public.port_hosts (id) VALUES (host) ON CONFLICT DO NOTHING;
    PERFORM FROM public.port_hosts AS h WHERE h.id = host FOR NO KEY UPDATE;
    FOR try IN 1..100 LOOP
        chosen := coalesce(candidates, public.search_ports(
            host, range, count, contiguous, gen_random_uuid()::text));
        PERFORM FROM public.port_occupancy AS o
        WHERE o.host = host AND o.block IN (SELECT p / 1024 FROM unnest(chosen) AS p)
        ORDER BY o.block FOR UPDATE;
        IF NOT EXISTS (SELECT FROM public.port_allocations AS a
                       WHERE a.host = host AND a.port = ANY (chosen)) THEN
            INSERT INTO public.port_reservations (host, project, purpose, created_by, expires_at)
            VALUES (host, project, purpose, actor, clock_timestamp() + ttl)
            RETURNING id INTO reservation;
            INSERT INTO public.port_allocations (host, port, project, reservation_id, allocated_by)
            SELECT host, p, project, reservation, actor FROM unnest(chosen) AS p;
            RETURN reservation;
        END IF;
        IF candidates IS NOT NULL THEN
            RETURN NULL;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'others were faster each time' USING ERRCODE = '40001';
END;
$$;

-- Give ports back; which were given. `project`: only where they are its own. `since`: only where
-- they are still the allocations of those moments, and not somebody's who came after.
CREATE FUNCTION public.release_ports(
    host text, project text, ports integer[], since timestamptz[] DEFAULT NULL
) RETURNS SETOF integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
    -- As whoever takes one: the blocks before the ports, in one order.
    PERFORM FROM public.port_occupancy AS o
    WHERE o.host = host AND o.block IN (SELECT p / 1024 FROM unnest(ports) AS p)
    ORDER BY o.block FOR UPDATE;
    RETURN QUERY
    DELETE FROM public.port_allocations AS a
    USING unnest(ports, since) AS lost (port, since)
    WHERE a.host = host AND a.port = lost.port
      AND (project IS NULL OR a.project = project)
      AND (lost.since IS NULL OR a.allocated_at = lost.since)
    RETURNING a.port;
END;
$$;

-- Give one port back; whether it was this project's.
CREATE FUNCTION public.release_port(host text, project text, port integer) RETURNS boolean
LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM public.release_ports(host, project, ARRAY[port]))
$$;

CREATE VIEW public.active_port_allocations AS
SELECT a.host, h.name AS host_name, a.port, a.project, a.worktree, a.service,
       a.reservation_id, r.expires_at, a.allocated_at, a.allocated_by,
       s.state, s.pid, s.process, s.since, s.http, s.latency_ms, s.checked_at, s.changed_at
FROM public.port_allocations AS a
JOIN public.port_hosts AS h ON h.id = a.host
LEFT JOIN public.port_reservations AS r ON r.id = a.reservation_id
LEFT JOIN public.service_status AS s ON s.host = a.host AND s.port = a.port
WHERE r.expires_at IS NULL OR r.expires_at > clock_timestamp();

CREATE VIEW public.port_range_utilization AS
SELECT r.name AS range, lower(r.ports) AS first_port, upper(r.ports) - 1 AS last_port,
       h.id AS host, h.name AS host_name, upper(r.ports) - lower(r.ports) AS size,
       count(a.port) AS used,
       round(100.0 * count(a.port) / (upper(r.ports) - lower(r.ports)), 1) AS percent_used
FROM public.port_ranges AS r
CROSS JOIN public.port_hosts AS h
LEFT JOIN public.port_allocations AS a ON a.host = h.id AND r.ports @> a.port
GROUP BY r.name, r.ports, h.id, h.name;

GRANT SELECT, INSERT, UPDATE ON public.port_hosts TO :app;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.port_ranges, public.port_reservations,
    public.port_allocations, public.service_status, public.port_health_checks TO :app;
-- To lock a block of it before a port; what it says is only a proposal.
GRANT SELECT, UPDATE ON public.port_occupancy TO :app;
GRANT SELECT ON public.well_known_ports, public.active_port_allocations,
    public.port_range_utilization TO :app;
