"""The states of a review hold in the database, for every client of the application's role."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from undercroft.errors import Conflict
from undercroft.work.models import Review
from undercroft.work.service import Work

Runs = Callable[..., Awaitable[str]]

ROUND = (
    "INSERT INTO workflow.work_review_rounds (item_id, action, agent, content, reasoning,"
    " created_by) SELECT item_id, '{}', '{}', '{}', '', 'raw' FROM workflow.work_reviews"
)
NEW = (
    "INSERT INTO workflow.work_reviews (item_id, state, server_agent, client_agent, server_content,"
    " client_content, final_content, iteration_count, max_iterations)"
    " SELECT id, '{}', 'a', {}, 'v', {}, {}, {}, 5 FROM workflow.work_items"
)
SET = "UPDATE workflow.work_reviews SET {}"
SETTLE = (
    "UPDATE workflow.disputes SET status = 'resolved', user_resolution = 'own',"
    " resolved_content = '{}', resolved_at = now(), resolved_by = '{}'"
)
OPEN = (
    "INSERT INTO workflow.disputes (step_id, server_agent, client_agent, server_content,"
    " client_content, server_reasoning, client_reasoning{})"
    " SELECT item_id, 'a', 'b', '{}', '{}', '', ''{} FROM workflow.work_reviews"
)
DISPUTED = SET.format("state = 'disputed', client_agent = 'b', client_content = 'w'")
AGREED = SET.format("state = 'agreed', client_agent = 'b', final_content = 'v'")
RESOLVED = SET.format("state = 'resolved', final_content = 'x'")


@pytest.fixture
async def step(make) -> str:
    return await make("step", kind="step")


@pytest.fixture
def runs(sql: asyncpg.Connection) -> Runs:
    """Run statements together; the SQLSTATE they fail with, or an empty text."""

    async def runs(*statements: str) -> str:
        try:
            async with sql.transaction():
                for statement in statements:
                    await sql.execute(statement)
        except asyncpg.PostgresError as error:
            return error.sqlstate or "none"
        return ""

    return runs


async def test_the_whole_path_is_open_to_any_client(step: str, runs: Runs, work: Work) -> None:
    assert (
        await runs(NEW.format("proposed", *["NULL"] * 3, 0), ROUND.format("propose", "a", "v"))
        == ""
    )
    asked = (
        "state = 'changes_requested', client_agent = 'b', client_content = 'w', iteration_count = 1"
    )
    assert await runs(SET.format(asked), ROUND.format("request_changes", "b", "w")) == ""
    revised = SET.format("state = 'proposed', server_content = 'v2'")
    assert await runs(ROUND.format("revise", "a", "v2"), revised) == ""
    disputed = SET.format("state = 'disputed'")
    opened = OPEN.format(", resolver", "v2", "w", ", 'c'")
    assert await runs(disputed, ROUND.format("dispute", "b", ""), opened) == ""
    assert await runs(SETTLE.format("x", "c"), RESOLVED, ROUND.format("resolve", "c", "x")) == ""
    assert (await work.get(step)).review["final_content"] == "x"


async def test_no_review_begins_but_by_a_proposal(step: str, runs: Runs) -> None:
    proposal = ROUND.format("propose", "a", "v")
    for state, client, text, final, iterations in (
        ("proposed", "NULL", "NULL", "NULL", 3),
        ("changes_requested", "'b'", "'w'", "NULL", 1),
        ("agreed", "'b'", "NULL", "'v'", 0),
        ("disputed", "'b'", "'w'", "NULL", 0),
        ("resolved", "'b'", "'w'", "'x'", 0),
    ):
        review = NEW.format(state, client, text, final, iterations)
        assert await runs(review) == "UC308", state
        assert await runs(review, proposal) == "UC308", state
    begun = NEW.format("proposed", "NULL", "NULL", "NULL", 0)
    assert await runs(begun) == "UC308"
    assert await runs(begun, ROUND.format("propose", "a", "another text")) == "UC308"
    assert await runs(begun, proposal) == ""


async def test_what_was_agreed_is_not_rewritten(work: Work, step: str, runs: Runs) -> None:
    await work.review(step, "propose", agent="a", content="v")
    await work.review(step, "approve", agent="b")
    for change in (
        "final_content = 'x'",
        "server_agent = 'x'",
        "server_content = 'x', final_content = 'x'",
        "server_complexity = 9",
        "iteration_count = 1",
        "state = 'proposed', final_content = NULL",
        "state = 'disputed', final_content = NULL",
        "max_iterations = 50",
    ):
        assert await runs(SET.format(change)) == "UC308", change
    anew = "state = 'proposed', server_agent = 'e', client_agent = NULL, final_content = NULL"
    assert await runs(SET.format(anew), ROUND.format("propose", "e", "v")) == ""


async def test_nobody_takes_a_step_out_of_turn(work: Work, step: str, runs: Runs) -> None:
    await work.review(step, "propose", agent="a", content="v")
    for action, agent, content in (
        ("propose", "e", "x"),
        ("request_changes", "a", "x"),
        ("approve", "a", ""),
        ("revise", "a", "x"),
        ("revise", "b", "x"),
        ("resolve", "c", "x"),
    ):
        assert await runs(ROUND.format(action, agent, content)) == "UC308", (action, agent)
    for action, content in (
        ("merge", "x"),
        ("approve", "x"),
        ("request_changes", ""),
        ("dispute", "y" * 10_001),
    ):
        assert await runs(ROUND.format(action, "b", content)) == "23514"
    await work.review(step, "request_changes", agent="b", content="w")
    for action, agent, content in (
        ("approve", "b", ""),
        ("revise", "b", "x"),
        ("dispute", "e", "x"),
        ("request_changes", "a", "x"),
        ("resolve", "c", "x"),
    ):
        assert await runs(ROUND.format(action, agent, content)) == "UC308", (action, agent)


async def test_a_round_comes_last_and_moves_the_review(work: Work, step: str, runs: Runs) -> None:
    await work.review(step, "propose", agent="a", content="v")
    assert await runs(ROUND.format("approve", "b", "")) == "UC308"
    assert await runs(AGREED) == "UC308"
    past = ROUND.format("approve", "b", "").replace("(item_id", "(id, item_id")
    past = past.replace("SELECT item_id", "OVERRIDING SYSTEM VALUE SELECT -1, item_id")
    assert await runs(past, AGREED) == "UC308"
    assert await runs(ROUND.format("approve", "b", ""), AGREED) == ""


async def test_the_limit_of_a_review_stays_and_holds(work: Work, step: str, runs: Runs) -> None:
    await work.settings(max_iterations=1)
    await work.review(step, "propose", agent="a", content="v")
    assert await runs(SET.format("max_iterations = 9")) == "UC308"
    asked = "client_agent = 'b', client_content = 'w', iteration_count = 1"
    request = ROUND.format("request_changes", "b", "w")
    assert await runs(SET.format(f"state = 'changes_requested', {asked}"), request) == "UC308"
    opened = OPEN.format("", "v", "w", "")
    assert await runs(SET.format(f"state = 'disputed', {asked}"), request, opened) == ""


async def test_a_dispute_is_one_with_its_review(work: Work, step: str, runs: Runs) -> None:
    await work.review(step, "propose", agent="a", content="v")
    said = ROUND.format("dispute", "b", "w")
    assert await runs(OPEN.format("", "v", "w", "")) == "UC308"
    assert await runs(DISPUTED, said) == "UC308"
    assert await runs(DISPUTED, said, OPEN.format("", "v", "another", "")) == "UC308"
    assert await runs(DISPUTED, said, OPEN.format("", "v", "", "")) == "23514"
    untold = OPEN.format("", "v", "w", "").replace("'', ''", "'', 'made up'")
    assert await runs(DISPUTED, said, untold) == "UC308"
    for party in "ab":
        named = OPEN.format(", resolver", "v", "w", f", '{party}'")
        assert await runs(DISPUTED, said, named) == "23514"
    assert await runs(DISPUTED, said, OPEN.format(", resolver", "v", "w", ", 'c'")) == ""
    for wrong in "abe":
        settled = SETTLE.format("x", wrong), RESOLVED, ROUND.format("resolve", wrong, "x")
        assert await runs(*settled) in {"23514", "UC308"}
        assert await runs(settled[0]) == "23514"
    settle, told = SETTLE.format("x", "c"), ROUND.format("resolve", "c", "x")
    for some in ((settle,), (RESOLVED,), (RESOLVED, told), (settle, RESOLVED), (settle, told)):
        assert await runs(*some) == "UC308", some
    other = SETTLE.format("y", "c")
    assert await runs(other, RESOLVED, told) == "UC308"
    for change in ("server_content = 'z'", "resolver = NULL", "client_agent = 'e'"):
        assert await runs(f"UPDATE workflow.disputes SET {change}") == "42501"
    assert await runs(settle, RESOLVED, told) == ""
    for change in ("resolved_content = 'z'", "resolved_by = 'c'", "status = 'open'"):
        assert await runs(f"UPDATE workflow.disputes SET {change}") == "UC308"
    assert await runs(OPEN.format("", "v", "w", "")) == "UC308"


async def meets(
    work: Work, sql: asyncpg.Connection, step: str, *statements: str
) -> asyncio.Task[Review]:
    """Somebody disputes while another's transaction is under way, and waits for its end."""
    waiting = (
        "SELECT count(*), pg_stat_clear_snapshot() FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with sql.transaction():
        for statement in statements:
            await sql.execute(statement)
        late = asyncio.create_task(work.review(step, "dispute", agent="b", content="w"))
        async with asyncio.timeout(20):
            while not await sql.fetchval(waiting):
                await asyncio.sleep(0)
    await asyncio.wait([late])
    return late


async def test_two_who_review_at_the_same_moment_are_one_after_the_other(
    work: Work, step: str, sql: asyncpg.Connection
) -> None:
    await work.review(step, "propose", agent="a", content="v")
    late = await meets(work, sql, step, AGREED, ROUND.format("approve", "b", ""))
    with pytest.raises(Conflict, match="it is agreed"):
        late.result()


async def test_a_dispute_has_what_was_said_while_it_waited(
    work: Work, step: str, sql: asyncpg.Connection
) -> None:
    await work.review(step, "propose", agent="a", content="v", reasoning="old")
    await work.review(step, "request_changes", agent="b", content="w")
    revised = ROUND.format("revise", "a", "v2").replace("''", "'new'")
    late = await meets(
        work, sql, step, SET.format("state = 'proposed', server_content = 'v2'"), revised
    )
    assert late.result().state == "disputed"
    [told] = await work.disputes()
    assert (told["server_content"], told["server_reasoning"]) == ("v2", "new")


async def test_an_import_is_held_to_the_same(work: Work, step: str) -> None:
    await work.review(step, "propose", agent="a", content="v")
    await work.review(step, "approve", agent="b")
    lines = [json.loads(line) for line in await work.export()]
    forged = [
        {**line, "id": "w-forged01", "item": "w-forged01", "order": "5"}
        for line in lines
        if line.get("action") != "approve"
    ]
    with pytest.raises(Conflict, match="another state"):
        await work.import_text("\n".join(map(json.dumps, forged)))
