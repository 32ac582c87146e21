"""Who works on batches: processes for many files, a thread of our own for a few."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from undercroft.codebase.indexing import batch as batches
from undercroft.codebase.indexing.batch import Batch, Wanted

if TYPE_CHECKING:
    from undercroft.codebase.indexing.labor import Labor

DEADLINE = 120.0
"""Seconds for one answer of a worker; a batch takes about two."""

PROGRAM = Path(__file__).absolute().with_name("worker.py")

PARTING = 1.0
"""Seconds that a worker has to end by itself."""

BUFFER = 1 << 22
"""Bytes of an answer that wait for being read."""

Ask = Callable[[Collection[str]], Awaitable[set[str]]]


class Crashed(Exception):
    """A worker died, or did not answer in time."""


class Unready(Crashed):
    """A worker died before it could begin: no file is to blame."""


class Hand(Protocol):
    """Somebody who works on one batch at a time."""

    async def work(self, root: Path, files: Sequence[Wanted], model: int, ask: Ask) -> Batch:
        """Read these files and all that follows from it.

        Raises:
            Crashed: It is to be replaced.

        """
        ...

    async def close(self) -> None:
        """Let it go, whatever it is doing."""
        ...


class Thread:
    """Work in this process: nothing has to be started for it."""

    def __init__(self, labor: Callable[[], Labor]) -> None:
        self._labor = labor

    async def work(self, root: Path, files: Sequence[Wanted], model: int, ask: Ask) -> Batch:
        """See `Hand`."""
        loop = asyncio.get_running_loop()

        def wait(digests: Collection[str]) -> set[str]:
            return asyncio.run_coroutine_threadsafe(_asked(ask, digests), loop).result()

        return await asyncio.to_thread(lambda: self._labor().work(root, files, model, wait))

    async def close(self) -> None:
        """Nothing was begun."""


async def _asked(ask: Ask, digests: Collection[str]) -> set[str]:
    return await ask(digests)


class Worker:
    """A process that was started anew, and that ends when our end of its input closes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ready = False

    @classmethod
    async def start(cls) -> Worker:
        """Start one; it gets ready while the caller goes on."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(PROGRAM),
            str(PROGRAM.parents[3]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=BUFFER,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def work(self, root: Path, files: Sequence[Wanted], model: int, ask: Ask) -> Batch:
        """See `Hand`."""
        await self.ready()
        await self._say({"root": str(root), "files": files, "model": model})
        while True:
            head, blobs = await self._hear()
            if "ask" not in head:
                return batches.decode(head, blobs)
            await self._say({"known": list(await ask(head["ask"]))})

    async def ready(self) -> None:
        """Wait until it has loaded what it needs.

        Raises:
            Unready: It never will.

        """
        if not self._ready:
            try:
                await self._hear()
            except Crashed as error:
                raise Unready from error
            self._ready = True

    async def close(self) -> None:
        """Let it end, or make it: it holds nothing that anybody needs."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        self._process.stdin.close()
        try:
            # Not a signal at once: one that races with its own end confuses asyncio's watcher.
            await asyncio.wait_for(self._process.wait(), PARTING)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        transport = self._process._transport  # type: ignore[attr-defined]  # noqa: SLF001
        transport.close()

    async def _say(self, head: dict[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        try:
            self._process.stdin.writelines(batches.frame(head))
            await self._process.stdin.drain()
        except OSError as error:
            raise Crashed from error

    async def _hear(self) -> tuple[dict[str, Any], list[bytes]]:
        source = self._process.stdout
        assert source is not None  # noqa: S101 - it was asked for
        try:
            async with asyncio.timeout(DEADLINE):
                length = int.from_bytes(await source.readexactly(4), "big")
                head = json.loads(await source.readexactly(length))
                return head, [await source.readexactly(size) for size in head["blobs"]]
        except (TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            raise Crashed from error
