"""Keys that a person, or what starts the server, gives by the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from undercroft.errors import InvalidInput
from undercroft.secrets.providers import keys_of

if TYPE_CHECKING:
    from undercroft.secrets.cipher import Key
    from undercroft.secrets.providers import Name

CURRENT, OLDER = "UNDERCROFT_KEY", "UNDERCROFT_OLD_KEYS"
"""No settings: they must stand neither in config.toml nor among the words of a command."""


class Environment:
    """UNDERCROFT_KEY wraps, UNDERCROFT_OLD_KEYS still unwrap."""

    name: Name = "environment"

    async def find(self, key_id: str) -> Key | None:
        """The key of that id, if a variable holds it."""
        held = [key for name in (CURRENT, OLDER) for key in keys_of(os.environ.get(name, ""), name)]
        return next((key for key in held if key.id == key_id), None)

    async def offer(self) -> Key:
        """What UNDERCROFT_KEY holds.

        Raises:
            InvalidInput: It holds nothing.

        """
        held = keys_of(os.environ.get(CURRENT, ""), CURRENT)
        if len(held) != 1:
            raise InvalidInput(
                f"{CURRENT} does not hold one key.",
                hint="`openssl rand -base64 32` makes one; keep a copy of it in a safe place.",
            )
        return held[0]

    async def withdraw(self, key: Key) -> None:
        """Nothing was made."""
