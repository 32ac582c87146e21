"""Resources, prompts and completions of all rooms, behind one face."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from mcp_types import ListResourcesResult
from mcp_types import Resource as MCPResource
from mcp_types import ResourceTemplate as MCPTemplate
from pydantic_core import to_json

from undercroft.errors import InvalidInput, NotFound, UndercroftError
from undercroft.mcp.arguments import nearest
from undercroft.mcp.results import as_object, refuse_oversize
from undercroft.paging import decode_cursor, encode_cursor

if TYPE_CHECKING:
    from undercroft.mcp.boundary import Boundary
    from undercroft.mcp.call import Caller
    from undercroft.mcp.toolset import Prompt, ResourceTemplate, Toolset

_VARIABLE = re.compile(r"\{(\w+)\}")


class Shelf:
    """What can be read, filled in or completed."""

    def __init__(self, toolsets: Iterable[Toolset], boundary: Boundary) -> None:
        toolsets = list(toolsets)
        self._boundary = boundary
        self._templates = [r for toolset in toolsets for r in toolset.resources]
        self._patterns = [(_pattern(template.uri), template) for template in self._templates]
        self._completions = {k: v for t in toolsets for k, v in t.completions.items()}
        self.prompts: list[Prompt] = [p for toolset in toolsets for p in toolset.prompts]

    def templates(self) -> list[MCPTemplate]:
        """Every kind of resource."""
        return [
            MCPTemplate(
                uri_template=template.uri,
                name=template.name,
                description=template.description,
                mime_type="application/json",
            )
            for template in self._templates
            if _VARIABLE.search(template.uri)
        ]

    async def resources(self, caller: Caller) -> list[MCPResource]:
        """The resources of the registry, and those of the caller's project if one follows."""
        found = [_listed(t, {}) for t in self._templates if not _VARIABLE.search(t.uri)]
        try:
            opened = await self._boundary.directory.open("", caller.folder)
        except UndercroftError:
            return found
        for template in self._templates:
            if "{project}" in template.uri:
                rows = await self._expansions(template, opened.name, caller)
                found.extend(_listed(template, values) for values in rows)
        return found

    async def _expansions(
        self, template: ResourceTemplate, project: str, caller: Caller
    ) -> list[dict[str, str]]:
        variables = _VARIABLE.findall(template.uri)[1:]
        rows = [{"project": project}]
        for variable in variables:
            values = await self.complete(variable, "", {"project": project}, caller)
            rows = [row | {variable: value} for row in rows for value in values]
        return rows

    async def read(self, uri: str, caller: Caller) -> str:
        """The JSON text of a resource.

        Raises:
            NotFound: No template fits the URI, or it names what does not exist.

        """
        for pattern, template in self._patterns:
            if match := pattern.fullmatch(uri):
                values = {name: unquote(value) for name, value in match.groupdict().items()}
                return await self._read(template, values, caller)
        raise NotFound(f"There is no resource {uri[:100]!r}.")

    async def _read(
        self, template: ResourceTemplate, values: dict[str, str], caller: Caller
    ) -> str:
        named: dict[str, Any] = {}
        if "project" in values:
            opened = await self._boundary.directory.open(values.pop("project"), caller.folder)
            database, named = opened.database, {"project": opened.name}
        else:
            database = await self._boundary.directory.registry()
        service = self._boundary.services[template.service](database.acting_as(caller.actor))
        text = to_json(named | as_object(await template.body(service, **values))).decode()
        refuse_oversize(text)
        return text

    def project_of(self, uri: str) -> str | None:
        """The project of a resource, "" for one of the registry, None for what is no resource."""
        for pattern, _ in self._patterns:
            if match := pattern.fullmatch(uri):
                return unquote(match.groupdict().get("project", ""))
        return None

    async def complete(
        self, argument: str, prefix: str, given: Mapping[str, str], caller: Caller
    ) -> list[str]:
        """Values that an argument of that name may take."""
        source = self._completions.get(argument)
        if source is None:
            return []
        parameters = inspect.signature(source, eval_str=True).parameters
        service = next(iter(parameters.values())).annotation
        try:
            if argument == "project":
                database = await self._boundary.directory.registry()
            else:
                name = given.get("project", "")
                database = (await self._boundary.directory.open(name, caller.folder)).database
            return list(await source(self._boundary.services[service](database), prefix))
        except UndercroftError:
            return []

    def fill(self, name: str, arguments: Mapping[str, str]) -> tuple[Prompt, str]:
        """A prompt and its text.

        Raises:
            InvalidInput: There is no such prompt, or its arguments do not fit.

        """
        known = {prompt.name: prompt for prompt in self.prompts}
        if name not in known:
            raise InvalidInput(f"There is no prompt {name[:64]!r}.", hint=nearest(name, known))
        try:
            bound = inspect.signature(known[name].body).bind(**arguments)
        except TypeError as error:
            raise InvalidInput(f"The prompt {name} does not fit: {error}.") from None
        return known[name], known[name].body(*bound.args, **bound.kwargs)

    def page(
        self, items: Sequence[MCPResource], cursor: str | None, size: int
    ) -> ListResourcesResult:
        """One page of a protocol list."""
        start = int(decode_cursor(cursor, 1)[0]) if cursor else 0
        following = encode_cursor([start + size]) if start + size < len(items) else None
        return ListResourcesResult(
            resources=list(items[start : start + size]), next_cursor=following
        )


def _listed(template: ResourceTemplate, values: Mapping[str, str]) -> MCPResource:
    own = [value for name, value in values.items() if name != "project"]
    return MCPResource(
        uri=_fill(template.uri, values),
        name="/".join([template.name, *own]),
        description=template.description,
        mime_type="application/json",
    )


def _fill(uri: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: quote(values[match[1]], safe=""), uri)


def _pattern(uri: str) -> re.Pattern[str]:
    literal = re.split(r"\{\w+\}", uri)
    names = _VARIABLE.findall(uri)
    pieces = [re.escape(literal[0])]
    for name, following in zip(names, literal[1:], strict=True):
        pieces.append(f"(?P<{name}>[^/]+){re.escape(following)}")
    return re.compile("".join(pieces))
