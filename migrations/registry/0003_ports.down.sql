-- Takes all ports back; programs that run on them go on, and nobody knows whose they are.
DROP VIEW public.port_range_utilization, public.active_port_allocations;
DROP FUNCTION public.reserve_ports(text, text, integer, interval, text, boolean, text, integer[], text);
DROP FUNCTION public.release_port(text, text, integer);
DROP FUNCTION public.release_ports(text, text, integer[], timestamptz[]);
DROP FUNCTION public.allocate_ports(text, text, text[], text, text, boolean, integer[], text);
DROP FUNCTION public.allocate_port(text, text, text, text, text, integer, integer[], text);
DROP FUNCTION public.take_port(text, integer, text, text, text, text, boolean, text);
DROP FUNCTION public.search_ports(text, text, integer, boolean, text);
DROP FUNCTION public.cleanup_expired_reservations();
DROP FUNCTION public.find_available_port(text, text);
DROP FUNCTION public.find_available_ports(text, text, integer, boolean, text, integer[]);
DROP TABLE public.port_occupancy, public.port_health_checks, public.service_status,
    public.port_allocations, public.port_reservations, public.well_known_ports,
    public.port_ranges, public.port_hosts;
DROP FUNCTION public.keep_port_in_place();
DROP FUNCTION public.mark_ports_free();
DROP FUNCTION public.mark_ports_taken();
DROP FUNCTION public.draw_port_map();
DROP FUNCTION public.fresh_port_block(integer);
DROP FUNCTION public.port_bits(integer[]);
