"""Looks at a folder are shared by those who ask at the same time."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from undercroft.codebase.indexing import workshop
from undercroft.codebase.indexing.planning import Look, look


async def test_those_who_ask_during_a_look_share_the_next(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    opened = threading.Event()

    def held(root: Path) -> Look:
        found = look(root)
        looked.append(1)
        opened.wait(30)
        return found

    monkeypatch.setattr(workshop, "look", held)
    looks = workshop.Looks()
    first = asyncio.create_task(looks.look(tree))
    async with asyncio.timeout(30):
        while not looked:
            await asyncio.sleep(0.01)
    (tree / "late.py").write_text("def late():\n    pass\n")
    later = [asyncio.create_task(looks.look(tree)) for _ in range(5)]
    await asyncio.sleep(0)
    opened.set()
    before = await first
    after = await asyncio.gather(*later)
    assert sum(looked) == 2
    assert "late.py" not in [file.path for file in before.walk.files]
    assert all("late.py" in [file.path for file in one.walk.files] for one in after)
