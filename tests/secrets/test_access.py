"""The log comes before the value, tells every access, and shows when it was changed."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from undercroft.app import App
from undercroft.errors import Forbidden, InvalidInput, NotFound, UndercroftError
from undercroft.secrets.service import Secrets

VALUE = "canary-7f3a9c51-tail"

REFUSING = """
CREATE FUNCTION vault.no_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no room left' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER no_room BEFORE INSERT ON vault.secret_access_log
    FOR EACH ROW EXECUTE FUNCTION vault.no_room();
"""


async def test_every_access_has_its_row(secrets: Secrets) -> None:
    await secrets.set("A", VALUE)
    await secrets.generate("B")
    await secrets.use(purpose="npm start")
    await secrets.get("A")
    await secrets.allow_reveal("A", once=True)
    await secrets.reveal("A", purpose="why not")
    await secrets.rotate("B")
    await secrets.delete("B")
    await secrets.restore("B")
    await secrets.show("A")
    await secrets.rotate_data_key()
    told = [(a.action, a.secret, a.version, a.purpose) for a in (await secrets.access_log()).items]
    assert told[::-1] == [
        ("set", "A", 1, ""),
        ("generate", "B", 1, ""),
        ("use", "A", 1, "npm start"),
        ("use", "B", 1, "npm start"),
        ("mask", "A", 1, ""),
        ("allow", "A", None, ""),
        ("reveal", "A", 1, "why not"),
        ("rotate", "B", 2, ""),
        ("delete", "B", 2, ""),
        ("restore", "B", 2, ""),
        ("show", "A", 1, ""),
        ("rotate_data_key", None, None, ""),
    ]
    verdict = await secrets.verify_log()
    assert (verdict.entries, verdict.intact, verdict.broken) == (12, True, None)


async def test_what_cannot_be_logged_does_not_leave(
    secrets: Secrets, owner: asyncpg.Connection
) -> None:
    await secrets.set("A", VALUE)
    await secrets.allow_reveal("A")
    await owner.execute(REFUSING)
    asked = (
        secrets.use(["A"], purpose="t"),
        secrets.use(purpose="t"),
        secrets.reveal("A"),
        secrets.show("A"),
        secrets.get("A"),
    )
    for one in asked:
        with pytest.raises(UndercroftError) as raised:
            await one
        assert "canary" not in str(raised.value.as_dict())
    with pytest.raises(UndercroftError):
        await secrets.set("B", VALUE)
    assert await secrets.names() == ["A"]
    await owner.execute("DROP TRIGGER no_room ON vault.secret_access_log")
    assert await secrets.use(["A"], purpose="t") == {"A": VALUE}
    assert await secrets.reveal("A") == VALUE


async def test_without_the_head_of_the_log_nothing_leaves(
    secrets: Secrets, owner: asyncpg.Connection
) -> None:
    await secrets.set("A", VALUE)
    await owner.execute("ALTER TABLE vault.secret_access_log_head DISABLE TRIGGER append_only")
    await owner.execute("DELETE FROM vault.secret_access_log_head")
    with pytest.raises(Forbidden, match="log of accesses to secrets is damaged"):
        await secrets.use(["A"], purpose="t")
    assert not (await secrets.verify_log()).intact


async def test_a_use_in_a_transaction_that_fails_stays_in_the_log(
    app: App, project: str, secrets: Secrets
) -> None:
    await secrets.set("A", VALUE)
    database = (await app.open(project)).database

    async def use_in_vain() -> None:
        async with database.transaction() as transaction:
            within = Secrets(transaction, app.started.ring)
            assert await within.use(["A"], purpose="t") == {"A": VALUE}
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await use_in_vain()
    assert [a.action for a in (await secrets.access_log()).items] == ["use", "set"]


async def test_a_value_is_revealed_while_a_person_allows_it(
    secrets: Secrets, owner: asyncpg.Connection
) -> None:
    await secrets.set("A", VALUE)
    with pytest.raises(Forbidden, match="No person has allowed that A be shown") as raised:
        await secrets.reveal("A")
    assert "undercroft secret allow A" in raised.value.hint
    leave = await secrets.allow_reveal("A", 60)
    assert (leave.name, leave.once) == ("A", False)
    assert await secrets.reveal("A") == VALUE
    assert await secrets.reveal("A", version=1) == VALUE
    await owner.execute("UPDATE vault.reveal_permissions SET expires_at = now() - interval '1 s'")
    with pytest.raises(Forbidden):
        await secrets.reveal("A")
    actions = [a.action for a in (await secrets.access_log("A")).items]
    assert actions == ["refuse", "reveal", "reveal", "allow", "refuse", "set"]


async def test_a_permission_for_once_is_used_up_by_the_first(secrets: Secrets) -> None:
    await secrets.set("A", VALUE)
    await secrets.set("B", VALUE)
    await secrets.allow_reveal("A", once=True)
    with pytest.raises(Forbidden):
        await secrets.reveal("B")
    tries = await asyncio.gather(*(secrets.reveal("A") for _ in range(5)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in tries) == ["Forbidden"] * 4 + ["str"]


async def test_a_permission_for_a_time_serves_all_who_ask_at_once(
    secrets: Secrets, owner: asyncpg.Connection, waiting
) -> None:
    await secrets.set("A", VALUE)
    await secrets.allow_reveal("A", once=True)
    await secrets.allow_reveal("A", 60)
    async with owner.transaction():
        await owner.execute("SELECT FROM vault.secret_access_log_head FOR UPDATE; RESET ROLE")
        asked = [asyncio.create_task(secrets.reveal("A")) for _ in range(3)]
        await waiting("take_permission", 3)
    assert await asyncio.gather(*asked) == [VALUE] * 3
    uses = await owner.fetch("SELECT once, used_at IS NOT NULL FROM vault.reveal_permissions")
    assert sorted(map(tuple, uses)) == [(False, True), (True, False)]
    # The one for once is kept for when the other is over.
    await owner.execute("UPDATE vault.reveal_permissions SET expires_at = now() WHERE NOT once")
    tries = await asyncio.gather(*(secrets.reveal("A") for _ in range(3)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in tries) == ["Forbidden"] * 2 + ["str"]


async def test_a_permission_is_bounded_and_ends_with_its_secret(secrets: Secrets) -> None:
    await secrets.set("A", VALUE)
    for seconds in (0, 86_401):
        with pytest.raises(InvalidInput):
            await secrets.allow_reveal("A", seconds)
    with pytest.raises(NotFound):
        await secrets.allow_reveal("B")
    with pytest.raises(NotFound):
        await secrets.reveal("A", version=2)
    await secrets.allow_reveal("A")
    await secrets.delete("A")
    await secrets.restore("A")
    with pytest.raises(Forbidden):
        await secrets.reveal("A")


DEEDS = {
    "UPDATE vault.secret_access_log SET actor = 'nobody' WHERE id = 3": 3,
    "UPDATE vault.secret_access_log SET at = at + interval '1 us' WHERE id = 2": 2,
    "UPDATE vault.secret_access_log SET purpose = 'x' WHERE id = 6": 6,
    "UPDATE vault.secret_access_log SET secret = 'B', version = 1 WHERE id = 1": 1,
    "UPDATE vault.secret_access_log SET previous = hash, hash = previous WHERE id = 2": 2,
    "UPDATE vault.secret_access_log SET id = id + 10 WHERE id > 4": 5,
    "DELETE FROM vault.secret_access_log WHERE id = 4": 4,
    "DELETE FROM vault.secret_access_log WHERE id > 4": 5,
    "DELETE FROM vault.secret_access_log": 1,
    "UPDATE vault.secret_access_log_head SET hash = sha256('x')": 6,
    "UPDATE vault.secret_access_log_head SET entries = 5": 6,
}
"""What somebody with all rights does to six rows → the first that is not as it was written."""


async def test_a_changed_log_is_found_with_its_first_row(
    secrets: Secrets, owner: asyncpg.Connection
) -> None:
    for number in range(6):
        await secrets.set("A", f"value {number}")
    assert (await secrets.verify_log()).intact
    verify = "SELECT broken FROM vault.verify_access_log()"
    for deed in ("DELETE FROM %s", "UPDATE %s SET actor = ''", "TRUNCATE %s"):
        with pytest.raises(asyncpg.PostgresError, match="is append-only"):
            await owner.execute(deed % "vault.secret_access_log")
    await owner.execute("ALTER TABLE vault.secret_access_log DISABLE TRIGGER append_only")
    for deed, broken in DEEDS.items():
        taken_back = owner.transaction()
        await taken_back.start()
        await owner.execute(deed)
        assert await owner.fetchval(verify) == broken, deed
        await taken_back.rollback()
    await owner.execute("DELETE FROM vault.secret_access_log WHERE id = 6")
    verdict = await secrets.verify_log()
    assert (verdict.intact, verdict.broken) == (False, 6)


async def test_the_chain_is_one_line_for_many_writers(app: App, project: str) -> None:
    rooms = [await app.secrets(project, f"agent {n}") for n in range(4)]
    await rooms[0].set("A", VALUE)
    await asyncio.gather(*(room.use(["A"], purpose="t") for room in rooms for _ in range(5)))
    verdict = await rooms[0].verify_log()
    assert (verdict.entries, verdict.intact) == (21, True)
