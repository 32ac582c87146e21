"""The budget's arithmetic, without a server: who is served next, and what is closed for it."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

import pytest

from undercroft.db.budget import PATIENCE, TENURE, TENURE_CALLERS, Budget, Waiter


@dataclass(eq=False)
class Bidder:
    """A bidder that only counts."""

    budget: Budget
    maximum: int = 5
    size: int = 0
    waiters: deque[Waiter] = field(default_factory=deque)
    idle: deque[float] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.budget.bidders[self] = None

    def may_grow(self) -> bool:
        return self.size < self.maximum

    def idle_since(self) -> float | None:
        return self.idle[0] if self.idle else None

    def close_idle(self) -> None:
        self.idle.popleft()
        self.budget.give_back(self)

    def wait(self, since: float) -> asyncio.Future[object]:
        turn = asyncio.get_running_loop().create_future()
        self.waiters.append(Waiter(since=since, turn=turn))
        return turn


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def budget(now: list[float]) -> Budget:
    return Budget(limit=2, clock=lambda: now[0])


async def test_no_more_slots_than_the_limit(budget) -> None:
    bidder = Bidder(budget)
    assert [budget.take(bidder) for _ in range(3)] == [True, True, False]
    assert (budget.used, bidder.size) == (2, 2)


async def test_the_longest_idle_connection_of_all_is_closed_for_a_newcomer(budget) -> None:
    one, two, new = Bidder(budget), Bidder(budget), Bidder(budget)
    assert budget.take(one)
    assert budget.take(two)
    one.idle.append(50.0)
    two.idle.append(40.0)
    assert budget.take(new)
    assert (len(one.idle), len(two.idle)) == (1, 0)


async def test_a_returned_slot_goes_to_whoever_waited_longest(budget) -> None:
    one, two, three = Bidder(budget), Bidder(budget), Bidder(budget)
    assert budget.take(one)
    assert budget.take(one)
    late, early = two.wait(99.0), three.wait(98.0)
    budget.give_back(one)
    assert (early.done(), late.done()) == (True, False)
    assert (budget.used, three.size, two.size) == (2, 1, 0)


async def test_a_waiter_who_has_gone_is_passed_over(budget) -> None:
    one, two = Bidder(budget), Bidder(budget)
    assert budget.take(one)
    assert budget.take(one)
    gone, there = two.wait(98.0), two.wait(99.0)
    gone.cancel()
    budget.give_back(one)
    assert there.done()
    assert budget.used == 2


async def test_a_pool_at_its_maximum_is_given_nothing(budget) -> None:
    one, full = Bidder(budget), Bidder(budget, maximum=0)
    assert budget.take(one)
    assert budget.take(one)
    turn = full.wait(1.0)
    budget.give_back(one)
    assert not turn.done()
    assert budget.used == 1


async def test_a_busy_pool_yields_only_to_one_who_waited_longer_and_long_enough(
    budget, now
) -> None:
    holder, rival = Bidder(budget), Bidder(budget)
    assert budget.take(holder)
    assert budget.rival(holder, 0.0, 1_000) is False
    assert budget.take(holder)
    assert budget.rival(holder, 0.0, 1_000) is False
    rival.wait(now[0])
    assert budget.rival(holder, 0.0, 1_000) is True
    holder.wait(now[0] - 1)
    assert budget.rival(holder, 0.0, 1_000) is False
    holder.waiters.clear()
    holder.wait(now[0] + 1)
    assert budget.rival(holder, 0.0, 1_000) is False
    now[0] += PATIENCE * 2
    assert budget.rival(holder, 0.0, 1_000) is True


async def test_a_connection_serves_its_own_callers_for_a_while_before_it_yields(
    budget, now
) -> None:
    holder, rival = Bidder(budget), Bidder(budget)
    assert budget.take(holder)
    assert budget.take(holder)
    rival.wait(now[0] - 10)
    opened = now[0]
    assert budget.wanted(holder)
    assert budget.rival(holder, opened, 1) is False
    holder.wait(now[0])
    assert budget.rival(holder, opened, TENURE_CALLERS - 1) is False
    assert budget.rival(holder, opened, TENURE_CALLERS) is True
    now[0] += TENURE * 1.1
    assert budget.rival(holder, opened, 1) is True


async def test_among_those_who_wait_a_pool_without_a_connection_comes_first(budget) -> None:
    rich, poor, holder = Bidder(budget), Bidder(budget), Bidder(budget)
    assert budget.take(rich)
    assert budget.take(holder)
    second, first = rich.wait(10.0), poor.wait(50.0)
    budget.give_back(holder)
    assert (first.done(), second.done()) == (True, False)
