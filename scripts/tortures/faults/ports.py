"""Faults of the ports room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tortures.faults import Fault

if TYPE_CHECKING:
    from tortures.scratch import Scratch


LOOK = "AND (number OR get_bit(o.taken, port % 1024) = 0\n           AND EXISTS"


async def _take_ports_blindly(scratch: Scratch) -> None:
    async with scratch.asked("mcp_registry") as admin:
        text = await admin.fetchval("SELECT pg_get_functiondef('public.take_port'::regproc)")
        if LOOK not in text:
            raise SystemExit("the fault does not fit take_port any more")
        await admin.execute(text.replace(LOOK, "AND (number OR EXISTS"))
        await admin.execute(
            "ALTER TABLE public.port_allocations DROP CONSTRAINT port_allocations_pkey CASCADE"
        )
        await admin.execute("CREATE INDEX ON public.port_allocations (host, port)")


def _probe_nothing() -> None:
    from undercroft.ports import choosing  # noqa: PLC0415 - patched, not used

    setattr(choosing, "is_free", lambda _port: True)  # noqa: B010 - mypy minds the plain way


FAULTS = {
    "constraint": Fault(
        meaning="nothing keeps a port from being given twice",
        scenario="ports",
        in_server=_take_ports_blindly,
    ),
    "probe": Fault(
        meaning="what other programs have is not looked at",
        scenario="ports",
        in_process=_probe_nothing,
    ),
}
"""By name."""
