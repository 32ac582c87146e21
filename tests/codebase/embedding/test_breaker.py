"""What fails again and again is left alone, longer each time, and one attempt brings it back."""

from __future__ import annotations

from contextlib import suppress

import pytest

from undercroft.codebase.embedding import breaker as breakers
from undercroft.codebase.embedding.breaker import Breaker
from undercroft.codebase.embedding.faults import ModelFault, Resting, TextsRefused


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("tiny", clock)


def fail(breaker: Breaker, fault: ModelFault | None = None) -> None:
    with suppress(ModelFault), breaker.attempt():
        raise fault or ModelFault("It is away.")


def test_it_opens_after_three_failures_and_each_rest_is_longer(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker)
    fail(breaker)
    assert breaker.rest == 0
    rests = []
    for _ in range(8):
        fail(breaker)
        rests.append(breaker.rest)
        with pytest.raises(Resting, match="left alone"), breaker.attempt():
            pytest.fail("it was asked")
        clock.now += breaker.rest
    assert 5 <= rests[0] <= 6
    assert 10 <= rests[1] <= 12
    assert max(rests) <= breakers.LONGEST_REST * (1 + breakers.SPREAD)


def test_one_success_closes_it(breaker: Breaker, clock: Clock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.now += breaker.rest
    with breaker.attempt(), pytest.raises(Resting), breaker.attempt():
        pytest.fail("two were let through")
    fail(breaker)
    assert breaker.rest == 0


def test_a_cut_off_trial_lets_the_next_one_try(breaker: Breaker, clock: Clock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.now += breaker.rest
    with pytest.raises(KeyboardInterrupt), breaker.attempt():
        raise KeyboardInterrupt
    with breaker.attempt():
        pass


def test_a_refused_text_is_an_answer(breaker: Breaker) -> None:
    for _ in range(5):
        fail(breaker, TextsRefused("Too long."))
    assert breaker.rest == 0


def test_a_wish_to_be_left_alone_opens_it_at_once(breaker: Breaker) -> None:
    fail(breaker, ModelFault("Slower.", pause=42.0))
    assert breaker.rest == 42
