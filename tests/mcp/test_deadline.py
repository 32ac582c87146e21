from __future__ import annotations

import asyncio

import pytest

from undercroft.mcp.deadline import Deadline


async def guarded(deadline: Deadline, seconds: float) -> str:
    task = deadline.begin()
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        if not deadline.passed(task):
            raise
        return "late"
    finally:
        deadline.end(task)
    return "in time"


async def test_what_takes_too_long_is_ended_and_nothing_else() -> None:
    deadline = Deadline(0.1)
    slow, quick = await asyncio.gather(guarded(deadline, 30), guarded(deadline, 0))
    assert (slow, quick) == ("late", "in time")


async def test_a_call_is_ended_hardly_later_than_its_deadline() -> None:
    begun = asyncio.get_running_loop().time()
    assert await guarded(Deadline(0.4), 30) == "late"
    assert 0.4 <= asyncio.get_running_loop().time() - begun < 0.4 * 2


async def test_a_cancellation_from_outside_stays_one() -> None:
    task = asyncio.create_task(guarded(Deadline(30), 60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_task_is_free_again_after_its_deadline() -> None:
    deadline = Deadline(0.05)
    assert await guarded(deadline, 30) == "late"
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0
    assert await guarded(deadline, 0) == "in time"


async def test_nothing_looks_on_when_no_call_is_left() -> None:
    deadline = Deadline(0.01)
    await guarded(deadline, 0)
    async with asyncio.timeout(5):
        while deadline.looking:
            await asyncio.sleep(0.001)
