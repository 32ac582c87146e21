"""Validation in a process of its own, with a deadline after which it is killed."""

import asyncio
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from undercroft.errors import LimitReached, Unavailable

DEADLINE = 5.0
"""Seconds for one check, the start of the process (about 0.1 s) included."""

Complaints = list[tuple[int, list[list[Any]]]]
"""(place of the document, [[JSON pointer, message, value], …])."""


@dataclass(kw_only=True)
class Checkers:
    """At most two checking processes at once for a database."""

    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    async def check(
        self, schema_json: str, documents: list[str], *, errors: int, deadline: float = DEADLINE
    ) -> Complaints:
        """The documents (JSON texts) that do not fit, with the first `errors` reasons each.

        Raises:
            LimitReached: It took longer than the deadline.
            Unavailable: The process could not do its work.

        """
        request = (
            f'{{"schema": {schema_json}, "errors": {errors}, "documents": [{",".join(documents)}]}}'
        )
        async with self.turns:
            answer = await _run(request.encode(), deadline)
        return [(place, found) for place, found in from_json(answer)["invalid"]]


async def _run(request: bytes, deadline: float) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(Path(__file__).with_name("checker.py")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(deadline):
            answer, _ = await process.communicate(request)
    except TimeoutError:
        raise LimitReached(
            f"Checking the data against its type took longer than {deadline:g} s.",
            hint="Make the data smaller, or its type's schema simpler.",
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise Unavailable("Checking the data failed.")
    return answer


def as_json(value: Any) -> str:
    """Compact JSON text."""
    return to_json(value).decode()
