"""Looks at one folder: shared by those who ask at once, and spared while nothing has changed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from undercroft.codebase.indexing.planning import Look, look

if TYPE_CHECKING:
    from undercroft.codebase.walking.watch import Watch

TRUSTED = 30.0
"""Seconds after which a folder is walked although nothing was told of it, beside the searches: so
late is noticed, at worst, what the kernel does not tell of."""


@dataclass(kw_only=True)
class Looks:
    """Looks at one folder.

    Those who ask during a look share the next one, which sees what they did. From the second look
    on the kernel is asked to tell of changes, where it can; as long as it tells of none, the latest
    look is as good as a new one.
    """

    _current: asyncio.Task[Look] | None = None
    _next: asyncio.Task[Look] | None = None
    _confirming: asyncio.Task[None] | None = None
    _watch: Watch | None = None
    _watched: bool | None = None
    """None: not tried yet; False: it cannot be."""
    _latest: Look | None = None
    """None: something may have changed since."""
    _seen: float = 0.0
    """When the folder was last walked."""

    async def look(self, root: Path) -> Look:
        """A look that begins now or later, or an earlier one that is still true."""
        if self._current is None or self._current.done():
            if (known := self._unchanged(root)) is not None:
                return known
            self._current = asyncio.get_running_loop().create_task(self._look(root))
            return await asyncio.shield(self._current)
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._after(self._current, root))
        return await asyncio.shield(self._next)

    async def _after(self, current: asyncio.Task[Look], root: Path) -> Look:
        await asyncio.wait({current})
        self._current, self._next = self._next, None
        return self._unchanged(root) or await self._look(root)

    def _unchanged(self, root: Path) -> Look | None:
        if self._latest is None or self._watch is None:
            return None
        if self._watch.told():
            self._latest = None
        elif time.monotonic() - self._seen > TRUSTED:
            self._seen = time.monotonic()
            self._confirming = asyncio.get_running_loop().create_task(self._confirm(root))
        return self._latest

    async def _look(self, root: Path) -> Look:
        began = time.monotonic()
        found, watched = await asyncio.to_thread(self._watched_look, root)
        self._latest, self._seen = found if watched else None, began
        return found

    def _watched_look(self, root: Path) -> tuple[Look, bool]:
        watched = self._begin(root)
        return look(root), watched

    def _begin(self, root: Path) -> bool:
        """Let the kernel tell from now on. The first look may well be the only one: it does not."""
        if self._watched is None:
            self._watched = True
            return False
        if self._watched:
            from undercroft.codebase.walking.watch import Watch  # noqa: PLC0415 - on first use

            self._watch = self._watch or Watch.of(root)
            try:
                self._watched = self._watch is not None and self._watch.begin()
            except OSError:
                # The look tells what is wrong; the next one may find the folder again.
                return False
        if not self._watched:
            self._watch = None
        return self._watched

    async def _confirm(self, root: Path) -> None:
        """Walk although nothing was told; if that was wrong, the next search looks itself."""
        known = self._latest
        found = await asyncio.to_thread(look, root)
        if self._latest is known and known is not None and found.digest != known.digest:
            self._latest = None

    async def end(self) -> None:
        """Stop what goes on in the background."""
        if self._confirming is not None:
            self._confirming.cancel()
            await asyncio.gather(self._confirming, return_exceptions=True)
        self._latest = self._watch = None
