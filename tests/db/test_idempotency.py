"""A write under a key happens once, whoever repeats it and whatever breaks meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from undercroft.db.database import Database
from undercroft.db.idempotency import SQL, key_for, once, record, replayed
from undercroft.db.queries import make_query
from undercroft.errors import Conflict, Unavailable

COUNT = make_query("count_keys", "SELECT count(*) FROM undercroft.idempotency_keys")


@dataclass
class Work:
    """Work that counts how often it ran, and may be held up, or fail."""

    gate: asyncio.Event | None = None
    error: Exception | None = None
    runs: int = 0
    began: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, database: Database) -> dict[str, Any]:
        self.runs += 1
        await database.fetch_text("SELECT 1")
        self.began.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return {"run": self.runs, "text": "ä \u2028 \\"}


@pytest.fixture
async def keyed(app) -> Database:
    """A database that has the table of keys."""
    return (await app.registry()).acting_as("test")


async def waiting_for_a_key(connect, database: str) -> None:
    admin = await connect("postgres")
    async with asyncio.timeout(20):
        while not await admin.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 "
            "AND wait_event_type = 'Lock' AND query LIKE '%idempotency_keys%'",
            database,
        ):
            await asyncio.sleep(0.005)


async def test_a_repetition_gets_the_first_result(keyed) -> None:
    work, key = Work(), key_for("k", "create", {"a": 1})
    first = await once(keyed, key, work)
    assert await once(keyed, key, work) == first
    assert await replayed(keyed, key) == first
    assert work.runs == 1


async def test_a_key_used_for_something_else_is_refused(keyed) -> None:
    work = Work()
    await once(keyed, key_for("k", "create", {"a": 1}), work)
    for other in (key_for("k", "create", {"a": 2}), key_for("k", "delete", {"a": 1})):
        with pytest.raises(Conflict, match="another call"):
            await once(keyed, other, work)
        with pytest.raises(Conflict, match="another call"):
            await replayed(keyed, other)
    assert work.runs == 1


async def test_two_at_once_under_one_key_work_once(keyed, connect) -> None:
    slow, quick, key = Work(gate=asyncio.Event()), Work(), key_for("k", "create", {})
    first = asyncio.create_task(once(keyed, key, slow))
    await slow.began.wait()
    second = asyncio.create_task(once(keyed, key, quick))
    await waiting_for_a_key(connect, keyed.name)
    slow.gate.set()
    assert await first == await second
    assert (slow.runs, quick.runs) == (1, 0)


async def test_when_the_first_fails_the_one_who_waited_does_the_work(keyed, connect) -> None:
    failing = Work(gate=asyncio.Event(), error=LookupError())
    following, key = Work(), key_for("k", "create", {})
    first = asyncio.create_task(once(keyed, key, failing))
    await failing.began.wait()
    second = asyncio.create_task(once(keyed, key, following))
    await waiting_for_a_key(connect, keyed.name)
    failing.gate.set()
    with pytest.raises(LookupError):
        await first
    assert (await second)["run"] == 1
    assert (failing.runs, following.runs) == (1, 1)


async def test_when_the_firsts_session_is_killed_its_key_is_free(keyed, connect) -> None:
    doomed, key = Work(gate=asyncio.Event()), key_for("k", "create", {})
    first = asyncio.create_task(once(keyed, key, doomed))
    await doomed.began.wait()
    admin = await connect("postgres")
    killed = await admin.fetchval(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = $1 AND state = 'idle in transaction'",
        keyed.name,
    )
    doomed.gate.set()
    with pytest.raises(Unavailable):
        await first
    assert killed == 1
    assert await once(keyed, key, Work()) == {"run": 1, "text": "ä \u2028 \\"}


async def test_the_result_stands_in_the_same_transaction_as_the_work(keyed) -> None:
    async def work(database: Database) -> dict[str, Any]:
        assert await database.fetch_value(COUNT) == 1
        assert await keyed.fetch_value(COUNT) == 0
        return {}

    await once(keyed, key_for("k", "create", {}), work)
    assert await keyed.fetch_value(COUNT) == 1


async def test_work_that_is_idempotent_by_nature_is_recorded_after_it(keyed) -> None:
    key = key_for("k", "archive", {"name": "a"})
    assert await replayed(keyed, key) is None
    await record(keyed, key, {"state": "archived"})
    await record(keyed, key, {"state": "another"})
    assert await replayed(keyed, key) == {"state": "archived"}


async def test_a_result_that_is_not_final_leaves_its_key_free_and_its_work_done(keyed) -> None:
    async def work(database: Database) -> dict[str, Any]:
        await record(database, key_for("written meanwhile", "create", {}), {})
        return {"waiting": True}

    key = key_for("k", "create", {"a": 1})
    assert await once(keyed, key, work, is_final=lambda: False) == {"waiting": True}
    assert await replayed(keyed, key) is None
    assert await keyed.fetch_value(COUNT) == 1
    final = await once(keyed, key, Work())
    assert await replayed(keyed, key) == final


async def test_whoever_waited_for_a_result_that_is_not_final_does_the_work(keyed, connect) -> None:
    slow, following, key = Work(gate=asyncio.Event()), Work(), key_for("k", "create", {})
    first = asyncio.create_task(once(keyed, key, slow, is_final=lambda: False))
    await slow.began.wait()
    second = asyncio.create_task(once(keyed, key, following))
    await waiting_for_a_key(connect, keyed.name)
    slow.gate.set()
    await asyncio.gather(first, second)
    assert (slow.runs, following.runs) == (1, 1)
    assert await replayed(keyed, key) == await second


async def test_old_keys_can_be_purged_and_young_ones_stay(keyed) -> None:
    for text in ("old", "young"):
        await once(keyed, key_for(text, "create", {}), Work())
    age = "UPDATE undercroft.idempotency_keys SET created_at = now() - interval '8 days' "
    await keyed.execute(make_query("age_key", age + "WHERE key = 'old'"))
    assert await keyed.execute(SQL.purge_keys) == 1
    assert await replayed(keyed, key_for("young", "create", {})) is not None


def test_the_order_of_arguments_does_not_matter_and_everything_else_does() -> None:
    def digest(**arguments: Any) -> bytes:
        return key_for("k", "t", arguments).digest

    assert digest(a=1, b={"x": [1, {"p": 1, "q": 2}], "y": 2}) == digest(
        b={"y": 2, "x": [1, {"q": 2, "p": 1}]}, a=1
    )
    different = [digest(a=1), digest(a="1"), digest(a=[1]), digest(b=1), digest(a=None), digest()]
    assert len(set(different)) == len(different)
