"""Two agents agree on a text, or a third decides; no other way through."""

from __future__ import annotations

import asyncpg
import pytest

from undercroft.errors import Conflict, InvalidInput, NotFound
from undercroft.work.service import Work


@pytest.fixture
async def step(make) -> str:
    return await make("step", kind="step")


async def test_a_text_is_proposed_reviewed_revised_and_agreed(work: Work, step: str) -> None:
    first = await work.review(step, "propose", agent="ada", content="v1", complexity=3)
    assert (first.state, first.iterations) == ("proposed", 0)
    asked = await work.review(
        step, "request_changes", agent="bob", content="v1b", reasoning="too short", complexity=4
    )
    assert (asked.state, asked.iterations) == ("changes_requested", 1)
    assert "ada: revise" in asked.turn
    await work.review(step, "revise", agent="ada", content="v2")
    agreed = await work.review(step, "approve", agent="bob")
    assert (agreed.state, agreed.final_content, agreed.promoted) == ("agreed", "v2", None)
    shown = (await work.get(step)).review
    assert (shown["server_agent"], shown["client_agent"]) == ("ada", "bob")
    with pytest.raises(Conflict, match="it is agreed"):
        await work.review(step, "request_changes", agent="bob", content="v3")


async def test_the_proposer_may_take_the_reviewers_text(work: Work, step: str) -> None:
    await work.review(step, "propose", agent="ada", content="v1")
    await work.review(step, "request_changes", agent="bob", content="better")
    agreed = await work.review(step, "approve", agent="ada")
    assert agreed.final_content == "better"


async def test_it_is_always_somebodys_turn_and_nobody_elses(work: Work, step: str) -> None:
    with pytest.raises(NotFound, match="Nothing has been proposed"):
        await work.review(step, "approve", agent="bob")
    with pytest.raises(InvalidInput, match="wants content"):
        await work.review(step, "propose", agent="ada")
    await work.review(step, "propose", agent="ada", content="v1")
    for agent, action in (("ada", "approve"), ("ada", "request_changes"), ("bob", "revise")):
        with pytest.raises(Conflict, match="cannot"):
            await work.review(step, action, agent=agent, content="x")
    with pytest.raises(Conflict):
        await work.review(step, "propose", agent="eve", content="mine")
    await work.review(step, "request_changes", agent="bob", content="v1b")
    for agent, action in (("eve", "approve"), ("bob", "approve"), ("eve", "dispute")):
        with pytest.raises(Conflict):
            await work.review(step, action, agent=agent)
    with pytest.raises(InvalidInput, match="no action"):
        await work.review(step, "merge", agent="bob")


async def test_a_dispute_has_both_texts_and_reasons_and_a_third_settles_it(
    work: Work, step: str
) -> None:
    await work.review(step, "propose", agent="ada", content="hers", reasoning="simple")
    opened = await work.review(
        step, "dispute", agent="bob", content="his", reasoning="wrong", resolver="carol"
    )
    assert opened.state == "disputed"
    [told] = await work.disputes()
    assert told["id"] == str(opened.dispute)
    assert (told["server_content"], told["server_reasoning"]) == ("hers", "simple")
    assert (told["client_content"], told["client_reasoning"]) == ("his", "wrong")
    for agent in ("ada", "bob", "eve"):
        with pytest.raises(Conflict, match="it is disputed"):
            await work.resolve(step, "server", agent=agent)
    with pytest.raises(InvalidInput, match="hybrid and own"):
        await work.resolve(step, "hybrid", agent="carol")
    settled = await work.resolve(step, "hybrid", agent="carol", content="ours")
    assert (settled.state, settled.final_content) == ("resolved", "ours")
    assert await work.disputes() == []
    [old] = await work.disputes("resolved")
    assert old["user_resolution"] == "hybrid"
    with pytest.raises(Conflict):
        await work.resolve(step, "server", agent="carol")


async def test_one_change_too_many_is_a_dispute(work: Work, step: str) -> None:
    await work.settings(max_iterations=2)
    await work.review(step, "propose", agent="ada", content="v1")
    await work.review(step, "request_changes", agent="bob", content="b1")
    await work.review(step, "revise", agent="ada", content="v2")
    last = await work.review(step, "request_changes", agent="bob", content="b2")
    assert (last.state, last.iterations) == ("disputed", 2)
    settled = await work.resolve(step, "client", agent="carol")
    assert settled.final_content == "b2"


async def test_a_step_that_both_find_complex_becomes_a_task(
    work: Work, step: str, sql: asyncpg.Connection
) -> None:
    await work.settings(complexity_threshold=5)
    await work.review(step, "propose", agent="ada", content="v1", complexity=4)
    row = await sql.fetchrow("SELECT complexity_score, should_promote FROM workflow.steps")
    assert (row["complexity_score"], row["should_promote"]) == (4, False)
    agreed = await work.review(step, "approve", agent="bob", complexity=7)
    assert agreed.promoted is True
    assert (await work.get(step)).kind == "task"


async def test_the_database_holds_every_state_against_any_client(
    work: Work, step: str, sql: asyncpg.Connection
) -> None:
    await work.review(step, "propose", agent="ada", content="v1")
    for change, refused in (
        ("state = 'resolved', final_content = 'x', client_agent = 'b'", "UC308"),
        ("state = 'agreed', client_agent = 'b'", "23514"),
        ("final_content = 'x'", "23514"),
        ("client_agent = 'ada'", "23514"),
        ("state = 'changes_requested', client_agent = 'b'", "23514"),
        ("iteration_count = 99", "23514"),
        ("state = 'merged'", "UC308"),
    ):
        with pytest.raises(asyncpg.PostgresError) as error:
            await sql.execute(f"UPDATE workflow.work_reviews SET {change}")
        assert error.value.sqlstate == refused, change
    await work.review(step, "dispute", agent="bob", content="his")
    with pytest.raises(asyncpg.CheckViolationError):
        await sql.execute("UPDATE workflow.disputes SET status = 'resolved'")
