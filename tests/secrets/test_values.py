"""Values go in, are used by name, and stand nowhere in PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from undercroft.app import App
from undercroft.errors import Conflict, Forbidden, InvalidInput, LimitReached, NotFound
from undercroft.secrets.service import Secrets

VALUE = "canary-7f3a9c51-tail"


async def test_a_value_comes_back_by_its_name(secrets: Secrets) -> None:
    kept = await secrets.set("STRIPE_KEY", VALUE, description="payments")
    assert (kept.name, kept.version, kept.generated, kept.created_by) == (
        "STRIPE_KEY",
        1,
        False,
        "test",
    )
    assert await secrets.use(["STRIPE_KEY"], purpose="npm test") == {"STRIPE_KEY": VALUE}
    again = await secrets.set("STRIPE_KEY", "another value")
    assert (again.version, again.description) == (2, "payments")
    assert await secrets.use(purpose="all") == {"STRIPE_KEY": "another value"}
    assert await secrets.show("STRIPE_KEY", version=1) == VALUE


async def test_every_text_comes_back_as_it_was(secrets: Secrets) -> None:
    texts = [
        "x",
        "ü" * 300,
        "a\nb\r\n",
        " ",
        "'\"\\$`",
        "\x01\x7f",
        "0" * 65_536,
        "\x80",
        "\0x"[1:],
    ]
    kept = {f"ANY_{number}": text for number, text in enumerate(texts)}
    await secrets.set_all(kept)
    assert await secrets.use(purpose="t") == kept


async def test_no_table_holds_a_value(secrets: Secrets, sql: asyncpg.Connection) -> None:
    await secrets.set("A", VALUE)
    await secrets.generate("B", "password")
    made = (await secrets.use(["B"], purpose="t"))["B"]
    tables = await sql.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    assert len(tables) > 8
    for table in tables:
        rows = await sql.fetch(f"SELECT t::text AS text FROM {table['name']} AS t")
        whole = "\n".join(row["text"] for row in rows)
        for value in (VALUE, made):
            for form in (value, value.encode().hex()):
                assert form not in whole, table["name"]


async def test_lengths_are_told_in_steps_of_64_bytes(
    secrets: Secrets, sql: asyncpg.Connection
) -> None:
    for name, value in (("A", "1"), ("B", "1" * 63), ("C", "1" * 64)):
        await secrets.set(name, value)
    sizes = await sql.fetch("SELECT length(ciphertext) FROM vault.secret_versions ORDER BY name")
    assert [row[0] for row in sizes] == [80, 80, 144]


async def test_two_that_set_at_once_both_count(
    app: App, project: str, sql: asyncpg.Connection, owner: asyncpg.Connection, waiting
) -> None:
    first, second = await app.secrets(project, "ada"), await app.secrets(project, "bob")
    await first.set("SHARED", "zero")
    # Both have read version 1 by the time that the lock is let go.
    async with sql.transaction():
        await owner.execute("LOCK TABLE vault.secret_versions IN SHARE MODE; RESET ROLE")
        racing = [
            asyncio.create_task(first.set("SHARED", "one")),
            asyncio.create_task(second.set("SHARED", "two")),
        ]
        await waiting("store_secret", 2)
    done = await asyncio.gather(*racing)
    assert sorted(one.version for one in done) == [2, 3]
    assert {await first.show("SHARED", version=v) for v in (1, 2, 3)} == {"zero", "one", "two"}
    assert await sql.fetchval("SELECT count(*) FROM vault.encryption_keys") == 1


async def test_the_first_secrets_of_a_project_agree_on_one_key(
    app: App, project: str, sql: asyncpg.Connection
) -> None:
    rooms = [await app.secrets(project, f"agent {n}") for n in range(5)]
    await asyncio.gather(*(room.set(f"S{n}", f"value {n}") for n, room in enumerate(rooms)))
    assert await sql.fetchval("SELECT count(*) FROM vault.encryption_keys") == 1
    assert await rooms[0].use(purpose="t") == {f"S{n}": f"value {n}" for n in range(5)}


@contextlib.asynccontextmanager
async def _log_held(owner: asyncpg.Connection) -> AsyncIterator[None]:
    """Nobody else comes past the end of the log meanwhile."""
    async with owner.transaction():
        await owner.execute("SELECT FROM vault.secret_access_log_head FOR UPDATE; RESET ROLE")
        yield


async def test_many_that_are_set_and_one_that_is_deleted_do_not_wait_in_a_circle(
    secrets: Secrets, owner: asyncpg.Connection, waiting
) -> None:
    values = {"A": "1", "B": "2", "C": "3"}
    await secrets.set_all(values)
    async with _log_held(owner):
        setting = asyncio.create_task(secrets.set_all(values))
        await waiting("store_secret", 1)
        deleting = asyncio.create_task(secrets.delete("C"))
        await waiting("", 2)
    await asyncio.gather(setting, deleting)
    gone = await secrets.facts("C")
    assert (gone.version, gone.deleted_at is None) == (2, False)


async def test_a_rotation_undoes_nothing_that_came_before_it(
    secrets: Secrets, owner: asyncpg.Connection, waiting
) -> None:
    await secrets.generate("PUT_AWAY")
    await secrets.generate("GIVEN")
    async with _log_held(owner):
        # Each stands before the other's rotation, which has read the secret by then.
        deleting = asyncio.create_task(secrets.delete("PUT_AWAY"))
        await waiting("", 1)
        setting = asyncio.create_task(secrets.set("GIVEN", VALUE))
        await waiting("", 2)
        rotations = [asyncio.create_task(secrets.rotate(name)) for name in ("PUT_AWAY", "GIVEN")]
        await waiting("store_secret", 3)
    await asyncio.gather(deleting, setting)
    put_away, given = await asyncio.gather(*rotations, return_exceptions=True)
    assert (type(put_away), type(given)) == (NotFound, Conflict)
    assert (await secrets.facts("PUT_AWAY")).deleted_at is not None
    assert await secrets.use(purpose="t") == {"GIVEN": VALUE}


async def test_a_version_that_was_not_expected_is_a_conflict(secrets: Secrets) -> None:
    await secrets.set("A", "one", expected_version=0)
    with pytest.raises(Conflict) as raised:
        await secrets.set("A", "two", expected_version=0)
    assert raised.value.data == {"version": 1}
    assert (await secrets.set("A", "two", expected_version=1)).version == 2
    with pytest.raises(Conflict):
        await secrets.rotate("A", "three", expected_version=1)


async def test_a_name_that_is_missing_is_told_with_the_nearest(secrets: Secrets) -> None:
    with pytest.raises(NotFound) as raised:
        await secrets.use(["STRIPE"], purpose="t")
    assert raised.value.hint == "There are none yet."
    await secrets.set("STRIPE_KEY", VALUE)
    with pytest.raises(NotFound, match="no secret STRIPE_KEI") as raised:
        await secrets.use(["STRIPE_KEY", "STRIPE_KEI"], purpose="t")
    assert raised.value.hint == "Did you mean STRIPE_KEY?"
    assert (await secrets.access_log()).items[0].action == "set"


async def test_what_has_expired_is_not_given_out(secrets: Secrets) -> None:
    await secrets.set("OLD", VALUE, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    await secrets.set("NEW", "fresh", expires_days=30)
    assert await secrets.use(purpose="all") == {"NEW": "fresh"}
    with pytest.raises(Forbidden, match="OLD has expired"):
        await secrets.use(["NEW", "OLD"], purpose="t")
    assert [(a.action, a.secret) for a in (await secrets.access_log(limit=1)).items] == [
        ("refuse", "OLD")
    ]
    await secrets.set("OLD", "again")
    assert await secrets.use(["OLD"], purpose="t") == {"OLD": "again"}


async def test_what_is_deleted_is_not_used_and_can_be_restored(secrets: Secrets) -> None:
    await secrets.set("A", VALUE)
    with pytest.raises(Conflict):
        await secrets.delete("A", expected_version=7)
    await secrets.delete("A", expected_version=1)
    assert await secrets.use(purpose="all") == {}
    for refused in (secrets.use(["A"], purpose="t"), secrets.delete("A"), secrets.show("A")):
        with pytest.raises(NotFound):
            await refused
    assert (await secrets.page()).items == []
    assert [one.name for one in (await secrets.page(deleted=True)).items] == ["A"]
    assert (await secrets.get("A")).masked == ""
    await secrets.restore("A")
    assert (await secrets.restore("A")).deleted_at is None
    assert await secrets.use(["A"], purpose="t") == {"A": VALUE}
    await secrets.delete("A")
    assert (await secrets.set("A", "new")).version == 2


async def test_several_are_stored_together_or_none(secrets: Secrets) -> None:
    with pytest.raises(InvalidInput, match="B: The value is empty"):
        await secrets.set_all({"A": "1", "B": ""})
    with pytest.raises(InvalidInput, match="LD_PRELOAD changes how programs run"):
        await secrets.set_all({"A": "1", "LD_PRELOAD": "x"})
    assert await secrets.names() == []
    await secrets.set_all({"A": "1", "B": "2"})
    assert await secrets.use(purpose="t") == {"A": "1", "B": "2"}


async def test_names_that_are_none_or_dangerous_are_refused(secrets: Secrets) -> None:
    for name in (
        *("", "9A", "A-B", "A B", "Ä", "A" * 129, "A\n", "a.b"),
        *(
            "PATH",
            "Path",
            "LD_PRELOAD",
            "DYLD_X",
            "PYTHONPATH",
            "NODE_OPTIONS",
            "RUBYOPT",
            "PERL5LIB",
        ),
        *("BASH_ENV", "IFS", "ENV", "PS4", "PROMPT_COMMAND", "SHELLOPTS", "BASH_FUNC_x"),
        *("GIT_SSH_COMMAND", "UNDERCROFT_KEY", "GOFLAGS", "RUSTC_WRAPPER", "MAKEFLAGS", "CC"),
        *("CXX", "LD", "CFLAGS", "LDFLAGS", "PSQLRC", "DOCKER_HOST", "MAVEN_OPTS"),
    ):
        with pytest.raises(InvalidInput):
            await secrets.set(name, VALUE)
    for name in (
        "A",
        "_",
        "a1",
        "A" * 128,
        "MY_PATH",
        "PATHS",
        "GITHUB_TOKEN",
        "CCC",
        "UV_PUBLISH_TOKEN",
    ):
        assert (await secrets.set(name, VALUE)).name == name


async def test_a_value_taken_for_a_name_is_not_repeated(secrets: Secrets) -> None:
    with pytest.raises(InvalidInput) as raised:
        await secrets.set("sk-live-51H8xCanary", "STRIPE_KEY")
    assert "Canary" not in str(raised.value.as_dict())


async def test_values_that_cannot_be_are_refused_without_a_word_of_them(secrets: Secrets) -> None:
    for value, kind in (
        ("", InvalidInput),
        ("canary\0", InvalidInput),
        ("canary\ud800", InvalidInput),
        ("canary" * 11_000, LimitReached),
    ):
        with pytest.raises(kind) as raised:
            await secrets.set("A", value)
        assert "canary" not in str(raised.value.as_dict())
    with pytest.raises(InvalidInput, match="does not look like a database_url") as raised:
        await secrets.set("A", "canary", kind="database_url")
    assert "canary" not in str(raised.value.as_dict())
    with pytest.raises(NotFound, match="no such kind") as raised:
        await secrets.set("A", "canary", kind="nothing")
    assert "ssh_key" in raised.value.hint


async def test_a_mask_shows_the_end_of_long_values_alone(secrets: Secrets) -> None:
    await secrets.set("LONG", VALUE)
    await secrets.set("SHORT", VALUE[:19])
    assert (await secrets.get("LONG")).masked == "••••••••tail"
    assert (await secrets.get("SHORT")).masked == "••••••••"
    assert (await secrets.get("SHORT")).value is None
    assert [a.action for a in (await secrets.access_log("LONG")).items] == ["mask", "set"]


async def test_a_fingerprint_tells_nothing_under_another_name(secrets: Secrets) -> None:
    kept = await secrets.set("DEPLOY_PASSWORD", VALUE)
    guess = await secrets.set("PROBE", VALUE)
    assert guess.fingerprint != kept.fingerprint
    # Parts that run together would be the same text.
    assert (await secrets.set("PROB", "E" + VALUE)).fingerprint != guess.fingerprint
    # Under the very name a guess can be compared; it is a version then, and the log tells of it.
    again = await secrets.set("DEPLOY_PASSWORD", VALUE)
    assert (again.fingerprint, again.version) == (kept.fingerprint, 2)
    assert [a.action for a in (await secrets.access_log("DEPLOY_PASSWORD")).items] == ["set", "set"]


async def test_fingerprints_are_equal_for_equal_values_of_a_secret_and_keyed(
    app: App, secrets: Secrets, project: str
) -> None:
    from hashlib import sha256

    one, two = await secrets.set("A", VALUE), await secrets.set("A", VALUE)
    other = await secrets.set("A", "other")
    assert one.fingerprint == two.fingerprint != other.fingerprint
    assert one.fingerprint not in sha256(VALUE.encode()).hexdigest()
    await (await app.projects()).create(f"{project}_2")
    elsewhere = await (await app.secrets(f"{project}_2")).set("A", VALUE)
    assert elsewhere.fingerprint != one.fingerprint


async def test_lists_come_in_pages(secrets: Secrets) -> None:
    await secrets.set_all({f"S{n}": "v" for n in range(7)})
    page = await secrets.page(3)
    seen = [one.name for one in page.items]
    while page.next_cursor:
        page = await secrets.page(3, page.next_cursor)
        seen += [one.name for one in page.items]
    assert seen == [f"S{n}" for n in range(7)]
    first = await secrets.access_log(limit=4)
    assert first.next_cursor
    rest = await secrets.access_log(limit=4, cursor=first.next_cursor)
    assert [one.id for one in (*first.items, *rest.items)] == [7, 6, 5, 4, 3, 2, 1]
    with pytest.raises(InvalidInput):
        await secrets.access_log(cursor="bm9uZQ")
