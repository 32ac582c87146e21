"""A process killed at each statement of each step: what it leaves, and that it can be mended."""

from __future__ import annotations

import itertools

import pytest

GONE = [None, False, False]
READY = ["ready", True, True]
CLOSED = ["archived", True, False]


def lefts(seen) -> set[tuple[object, ...]]:
    return {tuple(step["left"]) for step in seen}


def overlap(seen) -> bool:
    """Whether any two of the processes were at it at the same time."""
    pairs = itertools.combinations(seen, 2)
    return all(a["began"] < b["ended"] and b["began"] < a["ended"] for a, b in pairs)


async def test_create_killed_at_each_statement_is_finished_by_the_next_server(forks) -> None:
    seen = await forks(job="create")
    assert len(seen) > 15
    assert not seen[-1]["killed"]
    for step in seen:
        by_itself, again = step["mended"]
        assert by_itself in (GONE, READY), step
        assert by_itself != GONE or step["left"] == GONE, step
        assert again == READY, step
    assert lefts(seen) == {
        (None, False, False),
        ("creating", False, False),
        ("creating", True, True),
        ("ready", True, True),
    }


async def test_archive_killed_at_each_statement_is_whole_or_not_at_all(forks) -> None:
    seen = await forks(job="archive")
    assert len(seen) > 6
    for step in seen:
        assert step["mended"][0] in (READY, CLOSED), step
        assert step["mended"][0] == READY or step["left"][0] == "archived"
    assert ("archived", True, True) in lefts(seen)


async def test_restore_killed_at_each_statement_can_be_repeated(forks) -> None:
    seen = await forks(job="restore")
    assert len(seen) > 6
    for step in seen:
        assert step["mended"][0] in (READY, CLOSED), step
        assert step["mended"][1] == READY, step
    assert ("archived", True, True) in lefts(seen)


async def test_drop_killed_at_each_statement_is_finished_by_the_next_server(forks) -> None:
    seen = await forks(job="drop")
    assert len(seen) > 6
    for step in seen:
        assert step["mended"][0] in (CLOSED, GONE), step
        assert step["mended"][0] == GONE or step["left"] == CLOSED, step
    assert ("dropping", True, False) in lefts(seen)


async def test_a_template_killed_in_the_making_is_made_anew(forks) -> None:
    seen = await forks(job="template", stride=31, first=2)
    assert len(seen) > 6
    assert all(step["mended"][1] == READY for step in seen)


async def test_the_first_start_killed_at_each_statement_can_be_repeated(forks) -> None:
    seen = await forks(job="registry", stride=9, first=1)
    assert len(seen) > 6
    assert not seen[-1]["killed"]


async def test_eight_processes_that_create_one_project_all_get_it(forks, connect) -> None:
    seen = await forks(job="create", processes=8)
    assert overlap(seen)
    assert [fork["answer"] for fork in seen] == ["ready"] * 8


async def test_eight_processes_that_need_a_template_make_it_once(forks, connect) -> None:
    seen = await forks(job="template", processes=8, each=True)
    assert overlap(seen)
    assert [fork["answer"] for fork in seen] == ["ready"] * 8
    admin = await connect("postgres")
    assert await admin.fetchval(
        "SELECT count(*) FROM pg_database WHERE datname LIKE 'undercroft_template_f%_new'"
    ) == 0  # fmt: skip


@pytest.mark.parametrize("_round", range(3))
async def test_eight_processes_that_start_on_a_new_server_share_one_registry(
    forks, settings, _round
) -> None:
    registry = f"{settings.registry_database}_new"
    seen = await forks(job="registry", processes=8, registry=registry)
    assert overlap(seen)
    assert [fork["answer"] for fork in seen] == [registry] * 8
