"""What is ready among many items, and a large plan: quick, however much there is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Finding, Judgement, Table, bare, ours_alone, p95
from benchmarks.frame import Effort, interleave, timed
from benchmarks.ground import ask, bare_connection, scratch_app
from undercroft.db.queries import load_queries
from undercroft.work.ready import SQL as READY
from undercroft.work.tree import SQL as TREE

if TYPE_CHECKING:
    import asyncpg

    from undercroft.app import App

SQL = load_queries("benchmarks", "work_reading.sql")
PROJECT = "work"
SIZES = ((10_000, 20_000, 3.0), (100_000, 200_000, 15.0))
"""Items, dependencies, milliseconds that 19 of 20 calls may take."""
QUICK_SIZES = ((10_000, 20_000, 3.0), (20_000, 40_000, 15.0))
NODES = 5_000
CALLS = 20
"""Calls of one round."""
CHARACTERS = 8_000


async def measure_ready(effort: Effort) -> AsyncIterator[Finding]:
    """ready_work, by the size of the project."""
    async with scratch_app() as app:
        await ask(app, "create_project", name=PROJECT)
        async with bare_connection(app, f"project_{PROJECT}") as connection:
            before, rows = 0, []
            for items, links, target in QUICK_SIZES if effort.quick else SIZES:
                effort.tell(f"work: loading {items:,} items")
                await load(connection, before, items, links)
                before = items
                counted = await connection.fetchrow(SQL.count.text)
                rows.append([f"{counted[name]:,}" for name in ("items", "links", "waiting")])
                effort.tell(f"work: what is ready of {items:,} items")
                yield await _ready(app, connection, items, links, target, effort)
            yield Table(
                title="What was searched", head=["items", "dependencies", "waiting"], rows=rows
            )


async def load(connection: asyncpg.Connection, before: int, items: int, links: int) -> None:
    """Items and dependencies, as if the tools had made them, but without history."""
    owner = await connection.fetchval(SQL.get_owner.text)
    await connection.execute(f"SET ROLE {owner}")
    await connection.execute(SQL.pause_items.text)
    await connection.execute(SQL.pause_links.text)
    await connection.execute(SQL.load_items.text, before, items)
    await connection.execute(SQL.load_links.text, before, items)
    await connection.execute(SQL.drop_links.text, links)
    await connection.execute(SQL.count_blockers.text)
    await connection.execute(SQL.resume_items.text)
    await connection.execute(SQL.resume_links.text)
    await connection.execute(SQL.tidy.text)
    await connection.execute("RESET ROLE")


async def _ready(  # noqa: PLR0913, PLR0917 - what is measured where
    app: App,
    connection: asyncpg.Connection,
    items: int,
    links: int,
    target: float,
    effort: Effort,
) -> Figure:
    async def ours() -> None:
        answer = await ask(app, "ready_work", project=PROJECT)
        if len(answer["result"]) != 10:  # noqa: PLR2004 - as many as are shown
            raise RuntimeError("nothing is ready")

    async def alone() -> None:
        await connection.fetch(READY.list_ready.text, [], [], "", None, 10)

    sides = {"ours": timed(ours, CALLS), "bare": timed(alone, CALLS)}
    samples = await interleave(sides, rounds=effort.rounds(30, 5), warm=2)
    return Judgement(
        name=f"ready of {items // 1_000}k",
        meaning=f"ready_work among {items:,} items with {links:,} dependencies, p95; beside its "
        "one statement",
        unit="ms",
        value_unit="ms",
        target=target,
        of=ours_alone,
        baseline=bare,
        summary=p95,
    ).figure(samples)


async def measure_plan(effort: Effort) -> AsyncIterator[Finding]:
    """get_plan of a tree of 5,000, as it was made by create_plan."""
    async with scratch_app() as app:
        await ask(app, "create_project", name=PROJECT)
        effort.tell(f"work: a plan of {NODES:,} items")
        root = await _planned(app)
        async with bare_connection(app, f"project_{PROJECT}") as connection:

            async def ours() -> None:
                answer = await ask(app, "get_plan", project=PROJECT, id=root)
                if answer["total"] != NODES:
                    raise RuntimeError(f"the plan has {answer['total']} items")

            async def alone() -> None:
                given = (root, CHARACTERS, False, 2**31 - 1, 0, CHARACTERS // 60 + 2)
                await connection.fetch(TREE.read_plan.text, *given)

            sides = {"ours": timed(ours, CALLS), "bare": timed(alone, CALLS)}
            samples = await interleave(sides, rounds=effort.rounds(20, 3), warm=1)
            yield Judgement(
                name="plan of 5k",
                meaning=f"get_plan of a tree of {NODES:,}, with the progress of each part; beside "
                "its one statement",
                unit="ms",
                value_unit="ms",
                target=30.0,
                of=ours_alone,
                baseline=bare,
            ).figure(samples)


async def _planned(app: App) -> str:
    """A root, nine issues, each with 10 tasks of 54 steps, and what is lacking to 5,000."""
    root = (await ask(app, "create_work", project=PROJECT, title="root", fields={"kind": "epic"}))[
        "id"
    ]
    made = 1
    for number in range(9):
        steps = [{"title": f"Step {n} of it", "kind": "step"} for n in range(54)]
        tasks = [{"title": f"Task {n}", "children": steps} for n in range(10)]
        issue = {"title": f"Issue {number}", "kind": "issue", "children": tasks}
        done = await ask(app, "create_plan", project=PROJECT, items=[issue], parent=root)
        made += done["items"]
    rest = [{"title": f"Rest {n}"} for n in range(NODES - made)]
    await ask(app, "create_plan", project=PROJECT, items=rest, parent=root)
    return str(root)
