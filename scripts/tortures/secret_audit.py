"""The access log fails in many ways: then no value leaves, and no name of the ways matters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tortures.scratch import Scratch
from tortures.secret_canaries import canary
from undercroft.app import App
from undercroft.errors import UndercroftError
from undercroft.secrets.service import Secrets

PROJECT = "audited"
DATABASE = f"project_{PROJECT}"
NAME = "WATCHED"
_RAISING = """
CREATE FUNCTION vault.fail() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device'
   USING ERRCODE = '{state}'; END $$;
CREATE TRIGGER fail {time} ON vault.{table} FOR EACH {each} EXECUTE FUNCTION vault.fail();
"""
_DEFERRED = """
CREATE FUNCTION vault.fail() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'not at all'; END $$;
CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON vault.secret_access_log
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION vault.fail();
"""
_CUT = """
CREATE FUNCTION vault.fail() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
CREATE TRIGGER fail BEFORE INSERT ON vault.secret_access_log
    FOR EACH ROW EXECUTE FUNCTION vault.fail();
"""
_BEHEAD = """
ALTER TABLE vault.secret_access_log_head DISABLE TRIGGER ALL;
CREATE TEMP TABLE kept AS TABLE vault.secret_access_log_head;
DELETE FROM vault.secret_access_log_head;
"""
_CROWN = """
INSERT INTO vault.secret_access_log_head SELECT * FROM kept;
DROP TABLE kept;
ALTER TABLE vault.secret_access_log_head ENABLE TRIGGER ALL;
"""
_WHOLE = "DROP FUNCTION IF EXISTS vault.fail() CASCADE"


@dataclass(kw_only=True)
class Audit:
    """What left although its row was not there."""

    tries: int = 0
    ways: set[str] = field(default_factory=set)
    left: list[str] = field(default_factory=list)
    """Values that left."""
    deaf: list[str] = field(default_factory=list)
    """Ways out that do not work once the log does again."""


Failure = Callable[[Any], AbstractAsyncContextManager[None]]


def _script(text: str) -> Failure:
    @asynccontextmanager
    async def failing(admin: Any) -> AsyncIterator[None]:
        await admin.execute(text)
        try:
            yield
        finally:
            await admin.execute(_WHOLE)

    return failing


def _raising(state: str, time: str, table: str, each: str = "ROW") -> Failure:
    return _script(_RAISING.format(state=state, time=time, table=table, each=each))


def _locked(text: str) -> Failure:
    @asynccontextmanager
    async def failing(admin: Any) -> AsyncIterator[None]:
        await admin.execute("BEGIN")
        await admin.execute(text)
        try:
            yield
        finally:
            await admin.execute("ROLLBACK")

    return failing


@asynccontextmanager
async def _headless(admin: Any) -> AsyncIterator[None]:
    """The end of the chain is gone."""
    await admin.execute(_BEHEAD)
    try:
        yield
    finally:
        await admin.execute(_CROWN)


@asynccontextmanager
async def _renamed(admin: Any) -> AsyncIterator[None]:
    """The table is not there."""
    await admin.execute("ALTER TABLE vault.secret_access_log RENAME TO elsewhere")
    try:
        yield
    finally:
        await admin.execute("ALTER TABLE vault.elsewhere RENAME TO secret_access_log")


@asynccontextmanager
async def _forbidden(admin: Any) -> AsyncIterator[None]:
    """The server may not write it."""
    role = await admin.fetchval(
        "SELECT grantee FROM information_schema.routine_privileges"
        " WHERE routine_name = 'log_access' AND grantee <> grantor LIMIT 1"
    )
    name = f'"{role}"'
    call = "ON FUNCTION vault.log_access"
    await admin.execute(f"REVOKE EXECUTE {call} FROM {name}")
    try:
        yield
    finally:
        await admin.execute(f"GRANT EXECUTE {call} TO {name}")


LOG, HEAD = "secret_access_log", "secret_access_log_head"
FAILURES: dict[str, Failure] = {
    "a trigger raises": _raising("P0001", "BEFORE INSERT", LOG),
    "a trigger raises after": _raising("P0001", "AFTER INSERT", LOG, "STATEMENT"),
    "disk full": _raising("53100", "BEFORE INSERT", LOG),
    "out of memory": _raising("53200", "AFTER INSERT", LOG),
    "head cannot be written": _raising("53100", "BEFORE UPDATE", HEAD),
    "commit fails": _script(_DEFERRED),
    "connection cut": _script(_CUT),
    "table is locked": _locked("LOCK TABLE vault.secret_access_log IN ACCESS EXCLUSIVE MODE"),
    "head is locked": _locked("SELECT FROM vault.secret_access_log_head FOR UPDATE"),
    "head is missing": _headless,
    "table is missing": _renamed,
    "not allowed": _forbidden,
}


def _ways(secrets: Secrets) -> dict[str, Callable[[], Awaitable[object]]]:
    """Every way by which a value, or a part of it, leaves."""
    return {
        "use": lambda: secrets.use([NAME], purpose="torture"),
        "use all": lambda: secrets.use(purpose="torture"),
        "reveal": lambda: secrets.reveal(NAME),
        "show": lambda: secrets.show(NAME),
        "mask": lambda: secrets.get(NAME),
    }


async def audited(place: Scratch, app: App, rounds: int) -> Audit:
    """Each failure, and each way out during it; then all ways once more."""
    await (await app.projects("torture")).create(PROJECT)
    secrets = await app.secrets(PROJECT)
    value = canary()
    await secrets.set(NAME, value)
    await secrets.allow_reveal(NAME, 3600)
    audit = Audit()
    async with place.asked(DATABASE) as admin:
        for _ in range(rounds):
            for name, failure in FAILURES.items():
                async with failure(admin):
                    tries = [
                        _try(audit, f"{name}: {way}", leave, value)
                        for way, leave in _ways(secrets).items()
                    ]
                    await asyncio.gather(*tries)
                await _listen(audit, secrets, name)
    return audit


async def _try(audit: Audit, what: str, leave: Callable[[], Awaitable[object]], value: str) -> None:
    audit.tries += 1
    audit.ways.add(what)
    try:
        got = await leave()
    except Exception as error:  # noqa: BLE001 - an unknown one becomes `internal` at the boundary
        if value in f"{error} {vars(error)}":
            audit.left.append(f"{what}: {type(error).__name__}")
    else:
        audit.left.append(f"{what}: {type(got).__name__}")


async def _listen(audit: Audit, secrets: Secrets, name: str) -> None:
    for way, leave in _ways(secrets).items():
        try:
            await leave()
        except UndercroftError as error:
            audit.deaf.append(f"{way} after {name}: {error.message}")
