"""Two agents agree on a text, or a third decides; no other way through."""

from __future__ import annotations

import json

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undercroft.app import App
from undercroft.errors import Conflict, InvalidInput, NotFound
from undercroft.work.service import Work


def floats() -> list[float]:
    """What hypothesis thinks of as complexities."""
    found: list[float] = []

    @settings(max_examples=60, database=None, deadline=None)
    @given(st.floats(0, 10))
    def draw(complexity: float) -> None:
        found.append(complexity)

    draw()
    return found


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


async def test_a_resolver_is_named_by_name_and_only_he_settles(does, call, project, step) -> None:
    await does("review_step", id=step, action="propose", agent="ada", content="hers")
    named = {"id": step, "action": "dispute", "agent": "bob", "content": "his"}
    for party in ("ada", "bob"):
        refused = await call("review_step", project=project, **named, resolver=party)
        assert refused["code"] == "invalid_input"
        assert f"{party} is a party" in refused["message"]
    opened = await does("review_step", **named, resolver="carol")
    assert opened["turn"] == "carol: resolve_dispute"
    assert (await does("get_work", id=step))["review"]["resolver"] == "carol"
    for agent in ("ada", "bob", "eve"):
        refused = await call(
            "resolve_dispute", project=project, id=step, choice="own", agent=agent, content="x"
        )
        assert refused["code"] == "conflict"
        assert "Next: carol: resolve_dispute" in refused["hint"]
        assert "as `agent`" not in refused["hint"]
    settled = await does("resolve_dispute", id=step, choice="client", agent="carol")
    assert settled["final_content"] == "his"


async def test_a_resolver_is_for_a_dispute(work: Work, step: str) -> None:
    with pytest.raises(InvalidInput, match="resolver is for a dispute"):
        await work.review(step, "propose", agent="ada", content="v1", resolver="carol")
    await work.settings(max_iterations=1)
    await work.review(step, "propose", agent="ada", content="v1")
    last = await work.review(step, "request_changes", agent="bob", content="b1", resolver="carol")
    assert (last.state, last.turn) == ("disputed", "carol: resolve_dispute")


async def test_a_dispute_has_a_text_of_each_side(work: Work, step: str) -> None:
    await work.review(step, "propose", agent="ada", content="v1")
    for empty in ("", " \n"):
        with pytest.raises(InvalidInput, match="wants content"):
            await work.review(step, "dispute", agent="bob", content=empty)
    await work.review(step, "request_changes", agent="bob", content="b1")
    opened = await work.review(step, "dispute", agent="ada", content="v2", reasoning="no")
    assert "anyone but ada and bob" in opened.turn
    [told] = await work.disputes(item=step)
    assert (told["server_content"], told["client_content"]) == ("v2", "b1")
    settled = await work.resolve(step, "server", agent="carol")
    assert settled.final_content == "v2"


async def test_who_agrees_gives_no_text_of_his_own(work: Work, step: str) -> None:
    await work.review(step, "propose", agent="ada", content="v1")
    with pytest.raises(InvalidInput, match="without content"):
        await work.review(step, "approve", agent="bob", content="mine")


async def test_a_deleted_item_is_reviewed_by_nobody(
    work: Work, make, sql: asyncpg.Connection
) -> None:
    await work.settings(complexity_threshold=1)
    begun, disputed, fresh = [await make(name, kind="step") for name in ("a", "b", "c")]
    for item in (begun, disputed):
        await work.review(item, "propose", agent="ada", content="v1", complexity=9)
    await work.review(disputed, "dispute", agent="bob", content="v2")
    for item in (begun, disputed, fresh):
        await work.delete(item, 1)
    with pytest.raises(NotFound, match="is deleted"):
        await work.review(fresh, "propose", agent="ada", content="v1")
    with pytest.raises(NotFound, match="is deleted"):
        await work.review(begun, "approve", agent="bob")
    with pytest.raises(NotFound, match="is deleted"):
        await work.resolve(disputed, "server", agent="carol")
    kinds = await sql.fetch("SELECT DISTINCT kind FROM workflow.work_items")
    assert [row["kind"] for row in kinds] == ["step"]
    await work.restore(begun, 2)
    assert (await work.review(begun, "approve", agent="bob")).promoted is True


async def test_after_the_end_a_review_begins_anew_and_its_history_stays(
    work: Work, step: str, sql: asyncpg.Connection, app: App, project: str
) -> None:
    await work.settings(max_iterations=2)
    await work.review(step, "propose", agent="ada", content="v1", complexity=3)
    await work.review(step, "request_changes", agent="bob", content="b1", complexity=4)
    await work.review(step, "revise", agent="ada", content="v2")
    await work.review(step, "approve", agent="bob")
    await work.settings(max_iterations=3)
    again = await work.review(step, "propose", agent="bob", content="w1")
    assert (again.state, again.iterations, again.max_iterations) == ("proposed", 0, 3)
    assert (again.final_content, again.turn.split(":")[0]) == (None, "anyone but bob")
    shown = (await work.get(step)).review
    assert "server_complexity" not in shown
    with pytest.raises(Conflict, match="it is proposed"):
        await work.review(step, "propose", agent="eve", content="x")
    await work.review(step, "dispute", agent="ada", content="w2")
    await work.resolve(step, "own", agent="carol", content="w3")
    await work.review(step, "propose", agent="carol", content="u1")
    await work.review(step, "dispute", agent="ada", content="u2", resolver="dora")
    rounds = await sql.fetch("SELECT action FROM workflow.work_review_rounds ORDER BY id")
    assert [row["action"] for row in rounds] == [
        *("propose", "request_changes", "revise", "approve"),
        *("propose", "dispute", "resolve", "propose", "dispute"),
    ]
    lines = await work.export()
    other = f"{project}_other"
    await (await app.projects()).create(other)
    there = await app.work(other, "somebody else")
    await there.import_text("\n".join(lines))
    assert await there.export() == lines
    assert (await there.resolve(step, "client", agent="dora")).final_content == "u2"


async def test_a_hint_asks_for_a_name_only_where_none_was_given(work: Work, step: str) -> None:
    await work.review(step, "propose", content="v1")
    with pytest.raises(Conflict) as unnamed:
        await work.review(step, "approve")
    assert "You gave no name as `agent`, so you are test." in unnamed.value.hint
    with pytest.raises(Conflict) as named:
        await work.review(step, "revise", agent="bob", content="x")
    assert "`agent`" not in named.value.hint
    assert "anyone but test: approve" in named.value.hint


async def test_what_must_be_read_whole_is_shown_whole(does, call, project) -> None:
    much = {
        "description": "d" * 50_000,
        "acceptance": ["a" * 2_000] * 100,
        "code_links": [{"repository": "r" * 500, "path": "p" * 2_000}] * 100,
        "labels": [f"{n:0100}" for n in range(100)],
    }
    item = (await does("create_work", title="x", fields={"kind": "step", **much}))["id"]
    for _ in range(12):
        await does("comment_on_work", id=item, body="c" * 50_000)
    for agent in "ab":
        plain = await call(
            "review_step",
            project=project,
            id=item,
            action="propose",
            agent=agent,
            content="x" * 10_001,
        )
        assert "10000 characters" in plain["message"]
    server, client = ('say "s"\n' * 2_000)[:10_000], "é" * 10_000
    await does("review_step", id=item, action="propose", agent="a", content=server)
    reason = "r" * 2_000
    dispute = {"action": "dispute", "agent": "b", "content": client, "reasoning": reason}
    await does("review_step", id=item, **dispute)
    shown = (await does("get_work", id=item))["review"]
    assert (shown["server_content"], shown["client_content"]) == (server, client)
    [told] = (await does("list_disputes", id=item))["result"]
    assert (told["server_content"], told["client_content"]) == (server, client)
    assert told["client_reasoning"] == reason
    await does("resolve_dispute", id=item, choice="hybrid", agent="c", content="z" * 10_000)
    shown = (await does("get_work", id=item))["review"]
    assert shown["final_content"] == "z" * 10_000
    assert "server_content" not in shown


async def test_a_complexity_stays_as_it_was_given(
    work: Work, make, sql: asyncpg.Connection, app: App, project: str
) -> None:
    wanted = [6.3, 1e-7, -0.0, 0.1, 10.0, *floats()]
    made = await work.create_plan([{"title": "x", "kind": "step"}] * len(wanted))
    await work.settings(complexity_threshold=6.3)
    for item, complexity in zip(made.ids.values(), wanted, strict=True):
        await work.review(item, "propose", agent="ada", content="v", complexity=complexity)
    lines = await work.export()
    found = [json.loads(line) for line in lines]
    scores = {one["item"]: one["server_complexity"] for one in found if one["type"] == "review"}
    assert scores == dict(zip(made.ids.values(), wanted, strict=True))
    assert '"server_complexity" : 6.3,' in next(
        one for one in lines if made.ids["1"] in one and '"review"' in one
    )
    shown = await sql.fetchrow(
        "SELECT server_complexity::text, agreed_complexity, complexity_score::text, should_promote"
        " FROM workflow.steps WHERE id = $1",
        made.ids["1"],
    )
    assert tuple(shown) == ("6.3", None, "6.3", False)
    other = f"{project}_other"
    await (await app.projects()).create(other)
    there = await app.work(other, "somebody else")
    await there.import_text("\n".join(lines))
    assert await there.export() == lines
