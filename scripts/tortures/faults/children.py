"""Faults of the veil over a child's output."""

from __future__ import annotations

from typing import Any

from tortures.faults import Fault


def _hold_nothing() -> None:
    from undercroft.running.veil import Needles  # noqa: PLC0415 - patched, not used

    find = Needles.find

    def at_once(self: Any, text: bytes) -> tuple[list[tuple[int, bytes]], int]:
        return find(self, text)[0], len(text)

    setattr(Needles, "find", at_once)  # noqa: B010 - mypy minds the plain way


def _forget_an_alignment() -> None:
    from undercroft.running import needles  # noqa: PLC0415 - patched, not used

    setattr(needles, "ALIGNMENTS", (0, 1))  # noqa: B010 - mypy minds the plain way


FAULTS = {
    "held": Fault(
        meaning="the beginning of a secret is not held back",
        scenario="children",
        in_process=_hold_nothing,
    ),
    "base64": Fault(
        meaning="base64 is not known at every place",
        scenario="children",
        in_process=_forget_an_alignment,
    ),
}
"""By name."""
