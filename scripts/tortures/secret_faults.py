"""Faults of the secrets room that its torture must catch."""

from __future__ import annotations

from contextlib import suppress
from typing import Any


def leave_the_place_out() -> None:
    """Bind no value to its project, name, version and key."""
    from undercroft.secrets.cipher import Place  # noqa: PLC0415 - patched, not used

    setattr(Place, "bound", b"")  # noqa: B010 - mypy minds the plain way


def log_values() -> None:
    """Write each value that is stored into the log, at the level of debug."""
    import structlog  # noqa: PLC0415 - for this fault alone

    from undercroft.secrets.making import Making  # noqa: PLC0415 - patched, not used

    store = Making._store  # noqa: SLF001 - a fault lies inside

    async def told(self: Any, action: str, value: str, *rest: Any) -> Any:
        structlog.get_logger("undercroft.secrets").debug("stored", text=value)
        return await store(self, action, value, *rest)

    setattr(Making, "_store", told)  # noqa: B010 - mypy minds the plain way


def give_without_a_log() -> None:
    """Go on where the access log could not be written."""
    from undercroft.secrets.vault import Vault  # noqa: PLC0415 - patched, not used

    log = Vault.log

    async def tried(self: Any, *args: Any) -> None:
        with suppress(Exception):
            await log(self, *args)

    setattr(Vault, "log", tried)  # noqa: B010 - mypy minds the plain way


_FORGET = """
UPDATE vault.encryption_keys SET wrapped = decode(repeat('00', 60), 'hex') WHERE state = 'retired'
"""


def forget_retired_keys() -> None:
    """Lose a data key at the moment in which another one takes its place."""
    from undercroft.secrets.data_keys import DataKeys  # noqa: PLC0415 - patched, not used

    replace = DataKeys.replace

    async def replaced(self: Any, old: Any) -> Any:
        active = await replace(self, old)
        await self._db.execute_text(_FORGET)
        return active

    setattr(DataKeys, "replace", replaced)  # noqa: B010 - mypy minds the plain way
