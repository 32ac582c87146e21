"""The secrets room as tools: a value goes in, and no answer, record or log line has it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import asyncpg
import pytest
import structlog

from undercroft.app import App
from undercroft.log import configure
from undercroft.secrets.service import Secrets

VALUE = "canary-7f3a9c51-tail"


async def test_a_secret_through_its_tools(call, project: str, secrets: Secrets) -> None:
    kept = await call("store_secret", project=project, name="A", value=VALUE, kind="api_key")
    assert (kept["version"], kept["kind"]) == (1, "api_key")
    made = await call("generate_secret", project=project, name="B", kind="password", length=40)
    assert made["generated"]
    listed = await call("list_secrets", project=project)
    assert [one["name"] for one in listed["items"]] == ["A", "B"]
    shown = await call("get_secret", project=project, name="A")
    assert shown["masked"] == "••••••••tail"
    refused = await call("get_secret", project=project, name="A", reveal=True)
    assert (refused["code"], "value" in refused) == ("forbidden", False)
    assert (await call("rotate_secret", project=project, name="B"))["version"] == 2
    assert (await call("rotate_secret", project=project, name="A"))["version"] == 2
    due = await call("schedule_rotation", project=project, name="A", every_days=30)
    assert due["rotate_every_days"] == 30
    await call("delete_secret", project=project, name="B", version=2)
    gone = await call("list_secrets", project=project, deleted=True)
    assert [one["name"] for one in gone["items"]] == ["B"]
    assert (await call("restore_secret", project=project, name="B"))["version"] == 2
    kinds = await call("list_secret_templates", project=project)
    assert {"ssh_key", "jwt_secret"} <= {one["kind"] for one in kinds["result"]}
    assert (await call("rotate_encryption_key", project=project))["moved"] == 4
    log = await call("get_secret_access_log", project=project, name="A", limit=3)
    assert [one["action"] for one in log["items"]] == ["rotate", "refuse", "mask"]
    await secrets.allow_reveal("A", once=True)
    value = (await secrets.use(["A"], purpose="t"))["A"]
    assert (await call("get_secret", project=project, name="A", reveal=True))["value"] == value


@pytest.fixture
def as_before() -> Iterator[None]:
    """Logging as it was, after the test."""
    yield
    structlog.reset_defaults()


async def test_no_answer_and_no_log_line_has_a_value(
    call, project: str, capsys: pytest.CaptureFixture[str], as_before: None
) -> None:
    configure("debug", "json")
    answers = [
        await call("store_secret", project=project, name=name, **given)
        for name, given in (
            ("A", {"value": VALUE}),
            ("A", {"value": VALUE, "idempotency_key": "k"}),
            ("PATH", {"value": VALUE}),
            ("A", {"value": VALUE, "kind": "database_url"}),
            ("A", {"value": VALUE, "kind": "nothing"}),
            ("A", {"value": [VALUE]}),
            ("A", {"value": {"value": VALUE}}),
            ("A", {"value": VALUE + "\0"}),
            ("A", {"value": VALUE + "\ud800"}),
            ("A", {"value": VALUE * 4_000}),
            ("A", {"value": VALUE * 60_000}),
            ("A", {"value": VALUE, "expires_days": -1}),
            (VALUE, {"value": "swapped"}),
        )
    ]
    answers += [
        await call("get_secret", project=project, name="A"),
        await call("list_secrets", project=project),
        await call("get_secret", project=project, name="A", reveal=True),
    ]
    assert [a.get("code", "ok") for a in answers].count("ok") == 4
    said = json.dumps(answers) + "".join(capsys.readouterr())
    assert "store_secret" in said
    assert "canary" not in said


async def test_a_key_stands_for_one_value_and_its_digest_cannot_be_tried(
    call, project: str, sql: asyncpg.Connection
) -> None:
    given = {"project": project, "name": "PIN", "value": "1234"}
    first = await call("store_secret", **given, idempotency_key="k")
    assert await call("store_secret", **given, idempotency_key="k") == first
    other = await call("store_secret", **given | {"value": "1235"}, idempotency_key="k")
    assert other["code"] == "conflict"
    await call("generate_secret", project=project, name="GEN", idempotency_key="g")
    again = await call("generate_secret", project=project, name="GEN", idempotency_key="g")
    assert again["version"] == 1
    kept = await sql.fetchval(
        "SELECT arguments_digest FROM undercroft.idempotency_keys WHERE key = 'k'"
    )
    tried = (
        hashlib.sha256(json.dumps(each, separators=(",", ":"), sort_keys=True).encode()).digest()
        for each in ({"name": "PIN", "value": "1234"}, given, {"value": "1234"}, "1234")
    )
    assert kept not in set(tried)


async def test_a_store_without_a_value_tells_how_a_person_gives_it(call, project: str) -> None:
    answer = await call("store_secret", project=project, name="A")
    assert "undercroft secret set A" in json.dumps(answer)


async def test_projects_have_secrets_of_their_own(call, app: App, project: str) -> None:
    other = f"{project}_other"
    await (await app.projects()).create(other)
    await call("store_secret", project=project, name="A", value=VALUE)
    assert (await call("list_secrets", project=other))["items"] == []
    assert (await call("get_secret", project=other, name="A"))["code"] == "not_found"


async def test_a_call_is_repeated_across_a_rotation_of_data_keys(
    app: App, call, project: str, secrets: Secrets
) -> None:
    given = {"project": project, "name": "A", "value": VALUE, "idempotency_key": "k"}
    first = await call("store_secret", **given)
    for _ in range(2):
        await secrets.rotate_data_key()
    assert await call("store_secret", **given) == first
    other = await call("store_secret", **given | {"value": "another"})
    assert other["code"] == "conflict"
    await app.rotate_master_key()
    assert await call("store_secret", **given) == first
    assert await secrets.use(purpose="t") == {"A": VALUE}
