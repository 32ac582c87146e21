"""Faults of the secrets room."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from tortures.faults import Fault


def _leave_the_place_out() -> None:
    from undercroft.secrets.cipher import Place  # noqa: PLC0415 - patched, not used

    setattr(Place, "bound", b"")  # noqa: B010 - mypy minds the plain way


def _log_values() -> None:
    import structlog  # noqa: PLC0415 - for this fault alone

    from undercroft.secrets.making import Making  # noqa: PLC0415 - patched, not used

    store = Making._store  # noqa: SLF001 - a fault lies inside

    async def told(self: Any, action: str, value: str, *rest: Any) -> Any:
        structlog.get_logger("undercroft.secrets").debug("stored", text=value)
        return await store(self, action, value, *rest)

    setattr(Making, "_store", told)  # noqa: B010 - mypy minds the plain way


def _give_without_a_log() -> None:
    from undercroft.secrets.vault import Vault  # noqa: PLC0415 - patched, not used

    log = Vault.log

    async def tried(self: Any, *args: Any) -> None:
        with suppress(Exception):
            await log(self, *args)

    setattr(Vault, "log", tried)  # noqa: B010 - mypy minds the plain way


_FORGET = """
UPDATE vault.encryption_keys SET wrapped = decode(repeat('00', 60), 'hex') WHERE state = 'retired'
"""


def _forget_retired_keys() -> None:
    from undercroft.secrets.data_keys import DataKeys  # noqa: PLC0415 - patched, not used

    replace = DataKeys.replace

    async def replaced(self: Any, old: Any) -> Any:
        active = await replace(self, old)
        await self._db.execute_text(_FORGET)
        return active

    setattr(DataKeys, "replace", replaced)  # noqa: B010 - mypy minds the plain way


FAULTS = {
    "place": Fault(
        meaning="a ciphertext is not bound to its place",
        scenario="secrets",
        in_process=_leave_the_place_out,
    ),
    "line": Fault(
        meaning="a value stands in a line of the log",
        scenario="secrets",
        in_process=_log_values,
    ),
    "unlogged": Fault(
        meaning="a value leaves although the log has failed",
        scenario="secrets",
        in_process=_give_without_a_log,
    ),
    "retired": Fault(
        meaning="a rotation forgets the older key at once",
        scenario="secrets",
        in_process=_forget_retired_keys,
    ),
}
"""By name."""
