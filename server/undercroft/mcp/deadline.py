"""Ends calls that run too long.

One look at all of them now and then: a timer per call would cost each call as
much as its arguments' check, for a deadline that hardly any ever meets.
"""

from __future__ import annotations

import asyncio
from typing import Any

LOOKS = 8
"""Looks within one deadline: a call is ended at most an eighth of it too late."""
LONGEST = 1.0
"""Seconds between two looks at most."""


class Deadline:
    """The time that every call may take, in seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._pause = min(seconds / LOOKS, LONGEST)
        self._due: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self.looking = False
        """Whether a look is due."""

    def begin(self) -> asyncio.Task[Any]:
        """Count the task that runs now; it must be given back to `end`."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        self._due[task] = loop.time() + self.seconds
        if not self.looking:
            self.looking = True
            loop.call_later(self._pause, self._look, loop)
        return task

    def end(self, task: asyncio.Task[Any]) -> None:
        """Count the task no longer."""
        self._due.pop(task, None)

    def passed(self, task: asyncio.Task[Any]) -> bool:
        """Whether the cancellation that the task has met was its deadline's and no other's."""
        if task not in self._late:
            return False
        self._late.discard(task)
        return task.uncancel() == 0

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task, due in list(self._due.items()):
            if due <= now:
                del self._due[task]
                self._late.add(task)
                task.cancel()
        self.looking = bool(self._due)
        if self.looking:
            loop.call_later(self._pause, self._look, loop)
