"""How a room declares its tools: a decorated function is all there is to write.

Name, description, schema, hints, read-only gating, command line and the row in
the documentation follow from the function.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar, overload

from pydantic import BaseModel, ConfigDict, Field, create_model

from undercroft.errors import InvalidInput
from undercroft.mcp.call import Caller
from undercroft.mcp.schema import compact
from undercroft.progress import Progress

Scope = Literal["project", "registry"]
Body = Callable[..., Awaitable[Any]]
B = TypeVar("B", bound=Body)

_INJECTED = (Progress, Caller)
_ARGUMENTS = ConfigDict(extra="forbid", arbitrary_types_allowed=True, protected_namespaces=())


@dataclass(frozen=True, kw_only=True, eq=False)
class Tool:
    """One tool, as its function declares it."""

    name: str
    body: Body
    toolset: str
    writes: bool
    scope: Scope
    idempotent: bool
    destructive: bool

    @property
    def description(self) -> str:
        """What the agent reads: the docstring, unfolded."""
        return " ".join((inspect.getdoc(self.body) or "").split())

    @cached_property
    def _parameters(self) -> list[inspect.Parameter]:
        return list(inspect.signature(self.body, eval_str=True).parameters.values())

    @cached_property
    def service(self) -> type:
        """The class that the boundary constructs for the call."""
        service: type = self._parameters[0].annotation
        return service

    @cached_property
    def injected(self) -> dict[str, type]:
        """Parameters that the boundary fills: the caller itself, or its progress."""
        return {p.name: p.annotation for p in self._parameters if p.annotation in _INJECTED}

    @cached_property
    def arguments(self) -> type[BaseModel]:
        """The model that checks a call's arguments."""
        own = {
            p.name: (p.annotation, _default(p.default))
            for p in self._parameters[1:]
            if p.annotation not in _INJECTED
        }
        with warnings.catch_warnings():
            # An argument may be called `schema`, like a method that pydantic has given up.
            warnings.filterwarnings("ignore", message="Field name .* shadows an attribute")
            model: type[BaseModel] = create_model(
                self.name,
                __config__=_ARGUMENTS,
                **(own | self._shared_arguments()),  # type: ignore[call-overload]
            )
        return model

    def _shared_arguments(self) -> dict[str, tuple[type, str]]:
        shared: dict[str, tuple[type, str]] = {}
        if self.scope == "project":
            shared["project"] = (str, "")
        if self.writes:
            shared["idempotency_key"] = (str, "")
        return shared

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments, without what an agent does not need."""
        schema: dict[str, Any] = compact(self.arguments.model_json_schema())
        return schema

    @property
    def annotations(self) -> dict[str, bool]:
        """MCP's hints, left out where they say what the protocol assumes anyway."""
        if not self.writes:
            return {"readOnlyHint": True, "openWorldHint": False}
        hints = {"destructiveHint": self.destructive, "openWorldHint": False}
        return hints | ({"idempotentHint": True} if self.idempotent else {})


def _default(default: Any) -> Any:
    if default is inspect.Parameter.empty:
        return ...
    if isinstance(default, list | dict):
        # A default that pydantic would copy deeply on every call.
        return Field(default_factory=default.copy)
    return default


@dataclass(frozen=True, kw_only=True, eq=False)
class ResourceTemplate:
    """One kind of resource: a URI with variables, read by a service."""

    uri: str
    name: str
    body: Body
    service: type

    @property
    def description(self) -> str:
        """What the resource holds."""
        return " ".join((inspect.getdoc(self.body) or "").split())


@dataclass(frozen=True, kw_only=True, eq=False)
class Prompt:
    """One prompt: a text with arguments that a person picks."""

    name: str
    body: Callable[..., str]

    @property
    def description(self) -> str:
        """What the prompt is for."""
        return " ".join((inspect.getdoc(self.body) or "").split())


@dataclass
class Toolset:
    """The tools, resources and prompts of one room, gathered by decorators."""

    name: str
    scope: Scope = "project"
    tools: list[Tool] = field(default_factory=list)
    resources: list[ResourceTemplate] = field(default_factory=list)
    prompts: list[Prompt] = field(default_factory=list)
    completions: dict[str, Body] = field(default_factory=dict)

    @overload
    def read(self, body: B, /) -> B: ...
    @overload
    def read(self, *, toolset: str = ..., scope: Scope | None = ...) -> Callable[[B], B]: ...
    def read(
        self, body: Any = None, *, toolset: str = "default", scope: Scope | None = None
    ) -> Any:
        """Declare a tool that changes nothing."""
        return self._declare(body, toolset=toolset, scope=scope, writes=False, idempotent=True)

    @overload
    def write(self, body: B, /) -> B: ...
    @overload
    def write(
        self,
        *,
        toolset: str = ...,
        scope: Scope | None = ...,
        idempotent: bool = ...,
        destructive: bool = ...,
    ) -> Callable[[B], B]: ...
    def write(
        self,
        body: Any = None,
        *,
        toolset: str = "default",
        scope: Scope | None = None,
        idempotent: bool = False,
        destructive: bool = False,
    ) -> Any:
        """Declare a tool that changes something.

        `idempotent`: doing it twice with the same arguments is doing it once, by nature.
        """
        return self._declare(
            body,
            toolset=toolset,
            scope=scope,
            writes=True,
            idempotent=idempotent,
            destructive=destructive,
        )

    def _declare(self, body: Any, *, scope: Scope | None, **traits: Any) -> Any:
        def declare(function: B) -> B:
            traits.setdefault("destructive", False)
            self.tools.append(
                Tool(name=function.__name__, body=function, scope=scope or self.scope, **traits)
            )
            return function

        return declare(body) if body is not None else declare

    def resource(self, uri: str, *, name: str) -> Callable[[B], B]:
        """Declare a resource; `{variables}` of the URI are the function's parameters."""

        def declare(function: B) -> B:
            first = next(iter(inspect.signature(function, eval_str=True).parameters.values()))
            self.resources.append(
                ResourceTemplate(uri=uri, name=name, body=function, service=first.annotation)
            )
            return function

        return declare

    def prompt(self, function: Callable[..., str]) -> Callable[..., str]:
        """Declare a prompt; every parameter is a text."""
        self.prompts.append(Prompt(name=function.__name__, body=function))
        return function

    def completes(self, argument: str) -> Callable[[B], B]:
        """Declare where values for an argument or URI variable of that name come from."""

        def declare(function: B) -> B:
            self.completions[argument] = function
            return function

        return declare


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """The tools that this server offers, by name."""

    tools: Mapping[str, Tool]

    def __iter__(self) -> Iterator[Tool]:
        return iter(self.tools.values())


def choose(toolsets: Iterable[Toolset], wanted: str, *, read_only: bool) -> Catalog:
    """The tools of the wanted toolsets (names separated by commas, or `all`).

    Raises:
        InvalidInput: There is no toolset of that name.

    """
    every = [tool for toolset in toolsets for tool in toolset.tools]
    known = sorted({tool.toolset for tool in every})
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    if unknown := [name for name in names if name not in {*known, "all"}]:
        raise InvalidInput(
            f"There is no toolset {unknown[0]!r}.", hint=f"Toolsets: all, {', '.join(known)}."
        )
    chosen = [
        tool
        for tool in every
        if ("all" in names or tool.toolset in names) and not (read_only and tool.writes)
    ]
    return Catalog(tools={tool.name: tool for tool in chosen})
