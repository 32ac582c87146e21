"""A page of a large table, filtered and sorted on indexed fields: quick, however large."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from benchmarks.figures import Figure, Judgement, bare, ours_alone, p95, times_bare
from benchmarks.frame import Effort, interleave, timed
from benchmarks.ground import ask, bare_connection, scratch_app
from undercroft.db.queries import load_queries
from undercroft.entities.search import Request
from undercroft.entities.search import query as search

if TYPE_CHECKING:
    import asyncpg

    from undercroft.app import App
    from undercroft.db.database import Database
    from undercroft.db.queries import Query

SQL = load_queries("benchmarks", "load.sql")
PROJECT = "pages"
SMALL, LARGE = 100_000, 1_000_000
QUICK_SMALL, QUICK_LARGE = 10_000, 50_000
PAGES = 40
"""Pages of one round."""


@dataclass(kw_only=True)
class Spy:
    """A database that remembers the last statement, so that the driver can run it alone."""

    database: Database
    text: str = ""
    arguments: tuple[Any, ...] = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.database, name)

    async def fetch(self, query: Query, *arguments: Any) -> list[asyncpg.Record]:
        """Pass a statement on."""
        self.text, self.arguments = query.text, arguments
        return await self.database.fetch(query, *arguments)


@dataclass(kw_only=True)
class Reader:
    """The same requests for both sides, first pages and later ones."""

    app: App
    connection: asyncpg.Connection
    requests: Sequence[dict[str, Any]]
    statements: Sequence[tuple[str, tuple[Any, ...]]]
    _ours: int = 0
    _bare: int = 0

    async def ours(self) -> None:
        """A page through the boundary."""
        request = self.requests[self._ours % len(self.requests)]
        self._ours += 1
        await ask(self.app, "query_entities", project=PROJECT, **request)

    async def bare(self) -> None:
        """The page's one statement."""
        text, arguments = self.statements[self._bare % len(self.statements)]
        self._bare += 1
        await self.connection.fetch(text, *arguments)


def page_requests(count: int) -> Iterator[dict[str, Any]]:
    """What agents ask of tasks: next, overdue, urgent; each sorted by an indexed field."""
    chance = random.Random(1)  # noqa: S311 - the same requests in every run
    year = datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(count):
        day = (year + timedelta(days=chance.randrange(300))).isoformat()
        status = chance.choice(["pending", "in_progress", "completed", "blocked"])
        priority = chance.choice(["low", "medium", "high", "critical"])
        yield from (
            {"where": {"status": status}, "sort": ["due_date"]},
            {"where": {"status": status, "due_date": {"gte": day}}, "sort": ["due_date"]},
            {"where": {"status": status, "due_date": {"lt": day}}, "sort": ["-due_date"]},
            {"where": {"due_date": {"gte": day}}, "sort": ["due_date"]},
            {"where": {"status": status, "priority": priority}, "sort": ["-priority"]},
        )


async def measure(effort: Effort) -> AsyncIterator[Figure]:
    """Pages of a small and of a large table."""
    small, large = (QUICK_SMALL, QUICK_LARGE) if effort.quick else (SMALL, LARGE)
    async with scratch_app() as app:
        await ask(app, "create_project", name=PROJECT)
        at_small = await _at(app, 0, small, effort)
        yield _quick(small).figure(at_small)
        at_large = await _at(app, small, large, effort)
        yield _quick(large).figure(at_large)
        sides = {"ours": at_large["ours"], "bare": at_small["ours"]}
        yield _flat(small, large).figure(sides)


async def _at(app: App, before: int, size: int, effort: Effort) -> dict[str, list[list[float]]]:
    effort.tell(f"pages: loading {size - before:,} records")
    async with bare_connection(app, f"project_{PROJECT}") as connection:
        await _load(connection, before, size)
        reader = await _prepare(app, connection)
        effort.tell(f"pages: reading pages of {size:,} records")
        sides = {"ours": timed(reader.ours, PAGES), "bare": timed(reader.bare, PAGES)}
        return await interleave(sides, rounds=effort.rounds(20, 4), warm=2)


async def _load(connection: asyncpg.Connection, before: int, size: int) -> None:
    """Without history, which a page does not read, and with indexes built afterwards."""
    owner = await connection.fetchval(SQL.get_owner.text)
    await connection.execute(f"SET ROLE {owner}")
    await connection.execute(SQL.pause_history.text)
    indexes = await connection.fetch(SQL.list_indexes.text)
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    await connection.execute(SQL.load_tasks.text, before, size, timeout=1800)
    for index in indexes:
        await connection.execute(index["definition"], timeout=1800)
    await connection.execute(SQL.resume_history.text)
    await connection.execute(SQL.tidy.text, timeout=1800)
    await connection.execute("RESET ROLE")


async def _prepare(app: App, connection: asyncpg.Connection) -> Reader:
    """The requests, the second page of every other one, and the statement of each."""
    spy = Spy(database=(await app.open(PROJECT)).database)
    requests: list[dict[str, Any]] = []
    statements = []
    for request in page_requests(PAGES // 5):
        wanted: dict[str, Any] = {"type": "task", "limit": 50} | request
        page = await search(cast("Database", spy), Request(**wanted))
        if len(requests) % 2 and page.next_cursor:
            wanted["cursor"] = page.next_cursor
            await search(cast("Database", spy), Request(**wanted))
        requests.append(wanted)
        statements.append((spy.text, spy.arguments))
    return Reader(app=app, connection=connection, requests=requests, statements=statements)


def _quick(size: int) -> Judgement:
    return Judgement(
        name=f"page of {size:,} p95",
        meaning=f"p95 of query_entities, 50 of {size:,} records filtered and sorted on indexed "
        "fields, beside its one SELECT",
        unit="ms",
        value_unit="ms",
        target=20.0,
        of=ours_alone,
        baseline=bare,
        summary=p95,
    )


def _flat(small: int, large: int) -> Judgement:
    return Judgement(
        name="page as it grows",
        meaning=f"median page of {large:,} records, beside that of {small:,}: flat, if at most "
        "half more",
        unit="ms",
        value_unit="x",
        target=1.5,
        of=times_bare,
        baseline=bare,
    )
