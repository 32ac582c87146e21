"""A process that rotates keys, and dies at the second row that it meets.

It follows an order of {"kind", "keys", "project", "statement"}: `data` or `master`, the folder of
the keys, the project whose data key is rotated, and at which statement of the row it dies (0:
before all). A row is a batch of its own here, so that a rotation can be cut off behind each.
"""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tortures.birth import say
from tortures.doomed import kill_at
from undercroft.app import master_key, open_app
from undercroft.app.ground import lay
from undercroft.secrets import cipher, rotating

if TYPE_CHECKING:
    from undercroft.settings import Settings

LOADED = (lay, master_key)
"""What the product loads on first use, loaded once for all."""


async def serve(settings: Settings, order: dict[str, Any]) -> None:
    """Rotate until death, or to the end."""
    settings = replace(settings, key_folder=Path(order["keys"]), key_provider="file")
    die_at_second_row(order["kind"], order["statement"])
    async with open_app(settings) as app:
        if order["kind"] == "data":
            await (await app.secrets(order["project"], "rotator")).rotate_data_key()
        else:
            await app.rotate_master_key()
    say(finished=True)


def die_at_second_row(kind: str, statement: int) -> None:
    """Arm the death: of a data key's rotation, or of the other's."""
    met = 0
    move, wrap = rotating._move, cipher.Key.wrap  # noqa: SLF001 - a death lies inside

    def meet() -> None:
        nonlocal met
        met += 1
        if met == 2:  # noqa: PLR2004 - the first row is moved, so that each death is at another
            if not statement:
                os.kill(os.getpid(), signal.SIGKILL)
            kill_at(statement)

    async def moved(*args: Any) -> int:
        meet()
        return await move(*args)

    def wrapped(*args: Any) -> bytes:
        meet()
        return wrap(*args)

    if kind == "data":
        setattr(rotating, "BATCH", 1)  # noqa: B010 - mypy minds the plain way
        setattr(rotating, "_move", moved)  # noqa: B010 - mypy minds the plain way
    else:
        setattr(cipher.Key, "wrap", wrapped)  # noqa: B010 - mypy minds the plain way
