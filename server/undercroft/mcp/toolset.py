"""How a room declares its tools: a decorated function is all there is to write.

Name, description, schema, hints, read-only gating, command line and the row in
the documentation follow from the function.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NotRequired, TypeVar, overload

from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict

from undercroft.errors import InvalidInput
from undercroft.mcp.call import Caller
from undercroft.mcp.schema import compact
from undercroft.person import Person
from undercroft.progress import Progress

Scope = Literal["project", "registry", "machine"]
"""Where a tool works: in a project's database; in the registry; in the registry, for a project."""

Body = Callable[..., Awaitable[Any]]
B = TypeVar("B", bound=Body)

_INJECTED = (Progress, Caller, Person)
_ARGUMENTS = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


@dataclass(frozen=True)
class Confidential:
    """Marks an argument whose value stands in no record: `Annotated[str, Confidential()]`.

    What has to be kept of it is made by the service's `blind`.
    """


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
        """Parameters that the boundary fills: the caller, its progress or its person."""
        return {p.name: p.annotation for p in self._parameters if p.annotation in _INJECTED}

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """Names of the arguments → their types: the function's own and the boundary's."""
        given = (p for p in self._parameters[1:] if p.annotation not in _INJECTED)
        return {p.name: p.annotation for p in given} | dict.fromkeys(self._shared, str)

    @cached_property
    def confidential(self) -> frozenset[str]:
        """Arguments whose values stand in no record."""
        return frozenset(
            name
            for name, kind in self.arguments.items()
            if any(isinstance(mark, Confidential) for mark in getattr(kind, "__metadata__", ()))
        )

    @cached_property
    def validator(self) -> TypeAdapter[dict[str, Any]]:
        """What checks a call's arguments; those that are absent stay so.

        A dict with types: a model of pydantic's would take six times as long, for an object
        that nobody needs and defaults that the function has.
        """
        fields = {
            name: NotRequired[kind] if name in self._defaults else kind
            for name, kind in self.arguments.items()
        }
        checked: Any = TypedDict(self.name, fields)  # type: ignore[misc]
        configured: Any = with_config(_ARGUMENTS)(checked)
        return TypeAdapter(configured)

    @cached_property
    def _defaults(self) -> dict[str, Any]:
        given = {p.name: p.default for p in self._parameters}
        own = {name: it for name, it in given.items() if it is not inspect.Parameter.empty}
        return own | dict.fromkeys(self._shared, "")

    @property
    def _shared(self) -> list[str]:
        """Arguments that the boundary takes for itself."""
        project = [] if self.scope == "registry" else ["project"]
        return [*project, "idempotency_key"] if self.writes else project

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments, without what an agent does not need."""
        schema = self.validator.json_schema()
        for name, default in self._defaults.items():
            if name in self.arguments:
                schema["properties"][name]["default"] = default
        found: dict[str, Any] = compact(schema)
        return found

    @property
    def annotations(self) -> dict[str, bool]:
        """MCP's hints, left out where they say what the protocol assumes anyway."""
        if not self.writes:
            return {"readOnlyHint": True, "openWorldHint": False}
        hints = {"destructiveHint": self.destructive, "openWorldHint": False}
        return hints | ({"idempotentHint": True} if self.idempotent else {})


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
