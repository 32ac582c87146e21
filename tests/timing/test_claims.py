"""The clock of a work item runs while somebody holds it, and not beyond the lease."""

from __future__ import annotations

import asyncpg
import pytest

from undercroft.app import App
from undercroft.errors import NotFound
from undercroft.timing.models import Execution
from undercroft.timing.service import Timing
from undercroft.work.service import Work

EARLIER = """
WITH items AS (
    UPDATE workflow.work_items SET claim_until = claim_until - make_interval(mins => $2)
    WHERE claim_until IS NOT NULL
)
UPDATE workflow.time_tracking_sessions
SET started_at = started_at - make_interval(mins => $1),
    expires_at = expires_at - make_interval(mins => $2)
WHERE ended_at IS NULL
"""
"""Time passes: the claim was made so many minutes earlier, its lease ends so much earlier."""


@pytest.fixture
async def work(app: App, project: str) -> Work:
    return await app.work(project, "ada")


async def clock(timing: Timing, item: str) -> Execution:
    [found] = [one for one in (await timing.page()).items if one.item == item]
    return found


async def test_a_claim_starts_the_clock_and_a_completion_stops_it(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    item = (await work.create("Mend the roof", "", {"labels": ["roof"]})).id
    claim = await work.claim(item, agent="one", ttl=3600)
    running = await clock(timing, item)
    assert (running.status, running.title, running.asker) == ("running", "Mend the roof", "ada")
    await sql.execute(EARLIER, 30, 0)
    await work.renew(item, claim.epoch, 7200)
    await work.finish(item, epoch=claim.epoch)
    done = await clock(timing, item)
    assert done.status == "finished"
    assert done.minutes == pytest.approx(30, abs=0.5)


async def test_what_passes_after_a_lost_lease_is_nobodys_work(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    item = (await work.create("Mend the roof", "", {})).id
    await work.claim(item, agent="one", ttl=1200)
    # Twenty minutes of lease, all over by now, and forty more in which nobody held it.
    await sql.execute(EARLIER, 60, 60)
    again = await work.claim(item, agent="two", ttl=1200)
    await sql.execute(EARLIER, 10, 0)
    await work.finish(item, epoch=again.epoch)
    assert (await clock(timing, item)).minutes == pytest.approx(30, abs=0.5)


async def test_given_back_it_stands_still_and_dropped_it_teaches_nothing(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    item = (await work.create("Mend the roof", "", {})).id
    claim = await work.claim(item, agent="one")
    await sql.execute(EARLIER, 5, 0)
    await work.release(item, claim.epoch)
    assert (await clock(timing, item)).status == "paused"
    again = await work.claim(item, agent="one")
    await work.finish(item, epoch=again.epoch, status="cancelled")
    assert (await clock(timing, item)).status == "abandoned"


async def test_an_item_that_nobody_claimed_has_no_clock(work: Work, timing: Timing) -> None:
    item = (await work.create("Mend the roof", "", {})).id
    await work.finish(item)
    assert (await timing.page()).items == []
    with pytest.raises(NotFound):
        await timing.stop(item)
