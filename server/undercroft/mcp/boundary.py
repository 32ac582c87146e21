"""What every call passes, once for all tools and all transports.

Strict arguments, project, deadline, actor, idempotency, read-only gating, size,
errors, one log line: a tool never does any of these itself.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

import structlog
from pydantic_core import to_json

from undercroft.errors import (
    Forbidden,
    Internal,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    Unavailable,
    UndercroftError,
)
from undercroft.mcp.arguments import check, nearest
from undercroft.mcp.call import Caller, Directory, Outcome
from undercroft.mcp.deadline import Deadline
from undercroft.mcp.results import as_object, refuse_oversize
from undercroft.mcp.toolset import Catalog, Tool
from undercroft.person import Person, Question

if TYPE_CHECKING:
    from undercroft.db.database import Database

log = structlog.get_logger("undercroft.call")

MAX_KEY = 200
"""Characters of an idempotency key."""


@dataclass(kw_only=True)
class _Call:
    """One call while it runs."""

    id: str
    tool: Tool
    caller: Caller
    arguments: dict[str, Any] = field(repr=False)
    key: str = ""
    project: str | None = None


@dataclass(kw_only=True)
class Boundary:
    """The one way from a transport to a tool."""

    catalog: Catalog
    hidden: Mapping[str, str]
    """Tools this server does not offer → why not."""
    directory: Directory
    services: Mapping[type, Callable[..., Any]]
    timeout: float
    """Deadline of a call in seconds."""
    in_flight: int = 0
    closing: bool = False
    """Whether the server is about to end and takes no further calls."""
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _deadline: Deadline = field(init=False, repr=False)
    _log: Any = field(default_factory=log.bind, repr=False)
    """Bound once: binding anew costs as much as the rest of a line."""
    _prefix: str = field(default_factory=lambda: os.urandom(5).hex(), repr=False)
    _numbers: Iterator[int] = field(default_factory=count, repr=False)

    def __post_init__(self) -> None:
        self._deadline = Deadline(self.timeout)

    async def call(self, name: str, arguments: Mapping[str, Any], caller: Caller) -> Outcome:
        """Run a tool; never raises but for cancellation."""
        call_id = f"{self._prefix}{next(self._numbers):06x}"
        started = time.perf_counter()
        self.in_flight += 1
        call: _Call | None = None
        failure: UndercroftError | None = None
        try:
            call = self._admit(call_id, name, arguments, caller)
            outcome = await self._run(call)
        except UndercroftError as error:
            failure = error
            outcome = _failed(error, call_id, call)
        except Question as question:
            outcome = Outcome(text="{}", question=question)
        except asyncio.CancelledError:
            failure = OutcomeUnknown("The call was cancelled.")
            raise
        except Exception as error:
            log.exception("internal_error", call_id=call_id, tool=name[:64], exc_info=error)
            failure = Internal("The server made a mistake.")
            outcome = _failed(failure, call_id, call)
        finally:
            self._finish(call_id, name, call, caller, failure, started)
        return outcome

    def _admit(
        self, call_id: str, name: str, arguments: Mapping[str, Any], caller: Caller
    ) -> _Call:
        if self.closing:
            raise Unavailable(
                "The server is shutting down.", hint="Nothing was changed. Reconnect."
            )
        tool = self.catalog.tools.get(name)
        if tool is None:
            if name in self.hidden:
                raise Forbidden(f"This server does not offer {name}.", hint=self.hidden[name])
            raise NotFound(
                f"There is no tool {name[:64]!r}.", hint=nearest(name, self.catalog.tools)
            )
        checked = check(tool, arguments)
        key = checked.pop("idempotency_key", "")
        if len(key) > MAX_KEY:
            raise InvalidInput(f"An idempotency_key has at most {MAX_KEY} characters.")
        return _Call(id=call_id, tool=tool, caller=caller, arguments=checked, key=key)

    async def _run(self, call: _Call) -> Outcome:
        task = self._deadline.begin()
        try:
            database = await self._database(call)
            body = await (self._once if call.key else self._invoke)(call, database)
        except asyncio.CancelledError:
            if not self._deadline.passed(task):
                raise
            late = f"{call.tool.name} did not finish within {self.timeout:g} s."
            raise OutcomeUnknown(late) if call.tool.writes else Unavailable(late) from None
        finally:
            self._deadline.end(task)
        if call.project is not None:
            body = {"project": call.project, **body}
        text = to_json(body).decode()
        refuse_oversize(text)
        return Outcome(text=text, project=call.project, wrote=call.tool.writes)

    async def _once(self, call: _Call, database: Database) -> dict[str, Any]:
        # Loaded here: a call without a key, and a listing of tools, never need the driver.
        from undercroft.db.idempotency import key_for, once, record, replayed  # noqa: PLC0415

        arguments = await self._recorded(call, database)
        key = key_for(call.key, call.tool.name, arguments)
        if call.tool.scope == "project":
            return await once(database, key, lambda bound: self._invoke(call, bound))
        first = await replayed(database, key)
        if first is None:
            first = await self._invoke(call, database)
            await record(database, key, first)
        return first

    async def _recorded(self, call: _Call, database: Database) -> dict[str, Any]:
        """The arguments as far as a digest of them may be kept."""
        arguments = dict(call.arguments)
        if call.tool.scope == "machine":
            # The key is one for all projects there.
            arguments["project"] = call.project
        for name in call.tool.confidential & arguments.keys():
            # A bare digest of a short value could be tried out; this one has a key.
            service = self.services[call.tool.service](database)
            arguments[name] = await service.blind(arguments[name])
        return arguments

    async def _database(self, call: _Call) -> Database:
        if call.tool.scope == "registry":
            database = await self.directory.registry()
        elif call.tool.scope == "machine":
            name = call.arguments.pop("project", "")
            call.project = await self.directory.named(name, call.caller.folder)
            database = await self.directory.registry()
        else:
            name = call.arguments.pop("project", "")
            opened = self.directory.opened(name)
            if opened is None:
                opened = await self.directory.open(name, call.caller.folder)
            call.project, database = opened.name, opened.database
        return database.acting_as(call.caller.actor)

    async def _invoke(self, call: _Call, database: Database) -> dict[str, Any]:
        service = self.services[call.tool.service](database)
        for name, kind in call.tool.injected.items():
            call.arguments[name] = _injection(call, kind)
        return as_object(await call.tool.body(service, **call.arguments))

    def _finish(  # noqa: PLR0913, PLR0917 - the parts of one log line
        self,
        call_id: str,
        name: str,
        call: _Call | None,
        caller: Caller,
        failure: UndercroftError | None,
        started: float,
    ) -> None:
        self.in_flight -= 1
        if self.in_flight == 0:
            self._idle.set()
        seconds = time.perf_counter() - started
        # After the answer: nobody should wait for a line to be written.
        asyncio.get_running_loop().call_soon(
            self._tell, call_id, name, call, caller, failure, seconds
        )

    def _tell(  # noqa: PLR0913, PLR0917 - the parts of one log line
        self,
        call_id: str,
        name: str,
        call: _Call | None,
        caller: Caller,
        failure: UndercroftError | None,
        seconds: float,
    ) -> None:
        self._log.info(
            "call",
            call_id=call_id,
            tool=call.tool.name if call else name[:64],
            project=call.project if call else None,
            actor=caller.actor,
            transport=caller.transport,
            outcome=failure.code if failure else "ok",
            ms=round(seconds * 1000, 2),
        )

    def refuse(self) -> None:
        """Take no further calls; those in flight go on."""
        self.closing = True

    async def drain(self, within: float) -> bool:
        """Wait for calls in flight to finish, at most `within` seconds; whether all did."""
        try:
            async with asyncio.timeout(within):
                while self.in_flight:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            return False
        return True


def _injection(call: _Call, kind: type) -> Any:
    if kind is Caller:
        return replace(call.caller, project=call.project or "")
    return call.caller.person if kind is Person else call.caller.progress


def _failed(error: UndercroftError, call_id: str, call: _Call | None) -> Outcome:
    body = error.as_dict() | {"call_id": call_id}
    project = call.project if call else None
    return Outcome(text=to_json(body).decode(), failed=True, project=project)
