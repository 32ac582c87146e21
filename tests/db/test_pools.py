"""Pools: one budget, fair turns, deadlines, nothing leaked."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from undercroft.errors import LimitReached, NotFound, Unavailable, UndercroftError

BUDGET = 6


async def use(pool, seconds: float = 0.001) -> int:
    async with pool.connection() as connection:
        await connection.execute(f"SELECT pg_sleep({seconds})")
        return connection.get_server_pid()


async def test_all_pools_together_never_exceed_the_budget(
    new_database, new_pools, sessions, limits
) -> None:
    names = [await new_database() for _ in range(8)]
    pools = new_pools(BUDGET)
    watcher = await sessions(*names)
    async with watcher.watched():
        await asyncio.gather(*(use(pools.pool(n, limits)) for _ in range(40) for n in names))
    assert watcher.most == BUDGET, watcher
    assert pools.budget.used <= BUDGET
    assert watcher.looks > 20


async def test_cancelled_openings_do_not_exceed_the_budget(
    new_database, new_pools, sessions, limits
) -> None:
    names = [await new_database() for _ in range(4)]
    pools = new_pools(BUDGET)
    watcher = await sessions(*names)
    dice = random.Random(7)  # noqa: S311 - a reproducible test, not a secret

    async def impatient(name: str) -> bool:
        try:
            async with asyncio.timeout(dice.random() * 0.02):
                await use(pools.pool(name, limits))
        except TimeoutError:
            return True
        return False

    async with watcher.watched():
        cut = await asyncio.gather(*(impatient(name) for _ in range(60) for name in names))
    assert any(cut)
    assert watcher.most <= BUDGET
    for name in names:
        await pools.forget(name)
    await watcher.until(0)
    assert pools.budget.used == 0


async def test_callers_of_a_closed_pool_share_one_first_opening(new_pools, limits) -> None:
    pools = new_pools()
    assert len({pools.pool("somewhere", limits) for _ in range(100)}) == 1


async def test_a_pool_keeps_to_its_own_maximum(desk, limits) -> None:
    async with desk.sessions.watched():
        await asyncio.gather(*(use(desk.pool) for _ in range(100)))
    assert desk.pool.size == limits.maximum
    assert len(desk.sessions.pids) <= limits.maximum + 1  # the test's own connection is one


async def test_a_freed_connection_is_handed_to_the_one_who_waits(
    new_database, new_pools, limits
) -> None:
    pool = new_pools(1).pool(await new_database(), limits)
    assert len(set(await asyncio.gather(*(use(pool) for _ in range(50))))) == 1


async def test_the_longest_waiting_database_gets_the_next_slot(
    new_database, new_pools, limits, until
) -> None:
    busy, starved = await new_database(), await new_database()
    pools = new_pools(2)
    stop = asyncio.Event()

    async def hog() -> None:
        while not stop.is_set():
            await use(pools.pool(busy, limits))

    hogs = [asyncio.create_task(hog()) for _ in range(10)]
    await until(lambda: pools.pool(busy, limits).size == 2 and pools.pool(busy, limits).waiters)
    started = asyncio.get_running_loop().time()
    await use(pools.pool(starved, limits))
    waited = asyncio.get_running_loop().time() - started
    stop.set()
    await asyncio.gather(*hogs)
    assert waited < 2.0


async def test_an_idle_connection_of_another_database_makes_room(
    new_database, new_pools, limits
) -> None:
    pools = new_pools(1)
    first, second = await new_database(), await new_database()
    await use(pools.pool(first, limits))
    await use(pools.pool(second, limits))
    assert (pools.pool(first, limits).size, pools.pool(second, limits).size) == (0, 1)


async def test_whoever_waits_too_long_is_told_so(new_database, new_pools, limits) -> None:
    pool = new_pools(1).pool(await new_database(), replace(limits, acquire_timeout=0.05))
    async with pool.connection():
        with pytest.raises(LimitReached, match="connections are busy"):
            await use(pool)
    await use(pool)
    assert pool.size == 1


async def test_a_caller_that_gives_up_while_waiting_takes_nothing_with_it(
    new_database, new_pools, limits
) -> None:
    pools = new_pools(1)
    pool = pools.pool(await new_database(), limits)
    async with pool.connection():
        waiting = [asyncio.create_task(use(pool)) for _ in range(5)]
        while len(pool.waiters) < 5:
            await asyncio.sleep(0)
        for task in waiting[::2]:
            task.cancel()
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(result, int) for result in done] == [False, True, False, True, False]
    assert (pools.budget.used, pool.idle, len(pool.waiters)) == (1, 1, 0)


async def test_a_cancelled_statement_ends_its_session(desk) -> None:
    sleeping = asyncio.create_task(use(desk.pool, 60))
    await desk.sessions.until(1, "query LIKE '%pg_sleep(60)%' AND state = 'active'")
    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping
    await desk.sessions.until(0, "query LIKE '%pg_sleep(60)%'")


async def test_a_storm_of_cancellations_leaves_nothing_behind(desk) -> None:
    dice = random.Random(42)  # noqa: S311 - a reproducible test, not a secret

    async def one(number: int) -> str:
        try:
            async with asyncio.timeout(dice.random() ** 2 * 0.5):
                async with desk.database.transaction() as transaction:
                    await desk.write(f"storm {number}", through=transaction)
                    await transaction.fetch_text("SELECT pg_sleep(0.002)")
        except TimeoutError:
            return "cut"
        except UndercroftError as error:
            return error.code
        return "done"

    ends: list[str] = []
    for first in range(0, 500, 50):
        ends += await asyncio.gather(*(one(number) for number in range(first, first + 50)))
    assert ends.count("done") > 20
    assert ends.count("cut") > 20
    assert set(ends) == {"done", "cut"}
    await desk.sessions.until(0, "state LIKE 'idle in transaction%'")
    assert len(await desk.notes()) >= ends.count("done")
    await desk.pools.forget(desk.name)
    assert desk.pools.budget.used == 0
    await desk.sessions.until(1)  # the test's own


async def test_after_a_migration_every_connection_is_replaced(desk) -> None:
    before = await use(desk.pool)
    async with desk.pool.connection() as held:
        desk.pools.expire(desk.name)
        assert held.get_server_pid() == before
    after = await use(desk.pool)
    assert after != before
    await desk.sessions.until(0, f"pid = {before}")


async def test_a_connection_is_replaced_after_so_many_uses(new_database, new_pools, limits) -> None:
    pool = new_pools(1).pool(await new_database(), replace(limits, max_queries=3))
    pids = [await use(pool) for _ in range(7)]
    assert [len(set(pids[first : first + 3])) for first in (0, 3, 6)] == [1, 1, 1]
    assert len(set(pids)) == 3


async def test_idle_connections_are_closed_in_time_and_the_minimum_stays(
    new_database, new_pools, limits, until
) -> None:
    now = 1000.0
    pools = new_pools(5)
    pools.budget.clock = lambda: now
    pool = pools.pool(await new_database(), replace(limits, minimum=1, idle=60.0))
    await asyncio.gather(*(use(pool) for _ in range(3)))
    assert pool.size == 3
    now += 50
    await use(pool)
    now += 20
    assert pool.tidy() is False
    await until(lambda: pool.size == 1)
    now += 61
    pool.tidy()
    await until(lambda: pool.size == 0)
    assert pool.tidy() is True


async def test_a_connection_that_died_while_idle_is_not_handed_out(desk, until) -> None:
    await desk.write("before")
    assert await desk.kill("application_name = 'undercroft'") == 1
    (idle,) = desk.pool._idle
    await until(idle.connection.is_closed)
    await desk.write("after")
    assert await desk.notes() == ["after", "before"]
    assert desk.pools.budget.used == 1


async def test_a_session_out_of_step_is_never_handed_out_again(desk) -> None:
    before = await use(desk.pool)

    async def fail() -> None:
        async with desk.pool.connection() as connection:
            assert connection.get_server_pid() == before
            raise Unavailable("what the driver said was translated already")

    with pytest.raises(Unavailable):
        await fail()
    assert await use(desk.pool) != before


async def test_closing_ends_waiting_and_refuses_newcomers(
    new_database, new_pools, limits, until
) -> None:
    pools = new_pools(1)
    pool = pools.pool(await new_database(), limits)
    async with pool.connection():
        waiting = asyncio.create_task(use(pool))
        while not pool.waiters:
            await asyncio.sleep(0)
        await pools.close()
        with pytest.raises(Unavailable, match="shutting down"):
            await waiting
        with pytest.raises(Unavailable, match="shutting down"):
            await use(pool)
    await until(lambda: pools.budget.used == 0)


async def test_a_caller_cancelled_while_the_pool_closes_stays_cancelled(
    new_database, new_pools, limits
) -> None:
    pools = new_pools(1)
    pool = pools.pool(await new_database(), limits)
    async with pool.connection():
        waiting = asyncio.create_task(use(pool))
        while not pool.waiters:
            await asyncio.sleep(0)
        closing = asyncio.create_task(pools.close())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await closing


async def test_an_absent_database_takes_no_slot(new_pools, limits) -> None:
    pools = new_pools(2)
    pool = pools.pool("t_nowhere", limits)
    for _ in range(5):
        with pytest.raises(NotFound):
            await use(pool)
    assert pools.budget.used == 0


async def test_a_dedicated_connection_counts_and_is_closed(desk) -> None:
    async with desk.pools.dedicated(desk.name) as connection:
        pid = connection.get_server_pid()
        assert desk.pools.budget.used == 1
    assert desk.pools.budget.used == 0
    await desk.sessions.until(0, f"pid = {pid}")
    assert len(desk.pools.budget.bidders) == 1


async def test_figures_tell_what_is_open(desk) -> None:
    await desk.write("one")
    figures = desk.pools.figures()
    assert figures["open"] == 1
    assert figures["databases"] == {desk.name: {"size": 1, "idle": 1, "waiting": 0}}
