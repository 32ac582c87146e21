"""MCPServer with our own tools, resources and prompts behind it.

The library's own tool machinery is left empty: it ignores unknown arguments,
parses JSON out of strings and pretty-prints results. Its public list and call
methods are overridden; the two private hooks that this needs stand here alone.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    EmptyResult,
    GetPromptResult,
    InputRequiredResult,
    PaginatedRequestParams,
    PromptArgument,
    PromptMessage,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    TextContent,
    ToolAnnotations,
    UnsubscribeRequestParams,
)
from mcp_types import Prompt as MCPPrompt
from mcp_types import Resource as MCPResource
from mcp_types import ResourceTemplate as MCPTemplate
from mcp_types import Tool as MCPTool
from pydantic_core import to_json

from undercroft import __version__
from undercroft.errors import InvalidInput, NotFound, UndercroftError
from undercroft.mcp.call import Caller, Outcome
from undercroft.mcp.person import as_result, person_behind
from undercroft.mcp.resources import Shelf
from undercroft.mcp.subscriptions import Followers

if TYPE_CHECKING:
    from undercroft.mcp.boundary import Boundary
    from undercroft.mcp.toolset import Prompt, Tool

INSTRUCTIONS = """\
Undercroft keeps a private PostgreSQL database per software project.

Project: calls find it by the working folder; otherwise pass `project`. No project yet: \
create_project.
Code: before you read or grep around, ask semantic_search ("where is a stale lease refused?"): \
it gives the lines, best first. index_repository once per folder; from then on the index follows \
the disk. find_symbol: where a name is defined and used; find_related_code: what resembles a \
place; read_code: lines of a file.
Records: a record has a type (JSON Schema). list_entity_types shows what exists (task and vendor \
are built in), get_entity_type a schema, define_entity_type makes or changes one. create_entity \
stores a record; create_entities and update_entities do up to 500, all or none.
Changing: every record has a `version`. update_entity, delete_entity, restore_entity and undo \
take the version that you read. On `conflict` somebody was faster: read again, decide again, and \
send the new version.
Finding: query_entities filters with `where`, e.g. \
{"status":"pending","due_date":{"lt":"2026-12-01T00:00:00Z"}}, sorts and pages: pass next_cursor \
back unchanged. Name `fields` to save tokens.
Nothing is lost: delete is soft, get_entity_history shows who changed what, undo goes back.
Ports: before you start a server, allocate_port for its service (each worktree has its own).
Secrets: never ask for a value; generate_secret or store_secret by name, and run commands that \
need them by `undercroft run -- COMMAND`.
Work: create_plan makes a whole tree; claim_work gives the best ready item, and every write under \
the claim passes its epoch; finish_work ends it. Estimates learn from items' `estimate` (minutes).
Retries: give writes an `idempotency_key`; after `outcome_unknown` or a lost answer send the same \
call with the same key: it happens once.
Errors have code, message, hint and retryable. Follow the hint.\
"""

T = TypeVar("T")
log = structlog.get_logger("undercroft.server")

PAGE = 100
"""Items of one page of a protocol list."""


class Server(MCPServer[Any]):
    """The MCP face of the boundary."""

    def __init__(self, boundary: Boundary, shelf: Shelf, *, actor: str, transport: str) -> None:
        bus = InMemorySubscriptionBus()
        super().__init__(
            "undercroft",
            title="Undercroft",
            version=__version__,
            instructions=INSTRUCTIONS,
            subscriptions=bus,
        )
        self._boundary = boundary
        self._shelf = shelf
        self._actor = printable(actor)
        self._transport = transport
        self._folder = Path.cwd() if transport == "stdio" else None
        self._nobody = Caller(actor=self._actor or "mcp", folder=self._folder, transport=transport)
        self._followers = Followers(lambda uri: shelf.read(uri, self._nobody), bus)
        self._listener = ListenHandler(bus)
        self._tools = [describe(tool) for tool in boundary.catalog]
        self._add_handlers()

    def _add_handlers(self) -> None:
        """What MCPServer does not offer to set: completion, subscriptions, paged lists."""
        add = self.lowlevel.add_request_handler
        add("completion/complete", CompleteRequestParams, self._complete)
        add("resources/subscribe", SubscribeRequestParams, self._subscribe)
        add("resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe)
        add("resources/list", PaginatedRequestParams, self._list_resources)
        add("subscriptions/listen", SubscriptionsListenRequestParams, self._listen)

    @property
    def lowlevel(self) -> Any:
        """The protocol engine inside MCPServer (private there; a test guards it)."""
        return self._lowlevel_server

    def end_subscriptions(self) -> None:
        """Tell every listener that its stream ends here."""
        self._listener.close()

    async def list_tools(self) -> list[MCPTool]:
        """The tools of the chosen toolsets."""
        return self._tools

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Pass a call to the boundary."""
        outcome = await self._boundary.call(name, arguments, self._caller(context))
        if outcome.question is not None:
            return as_result(outcome.question)
        if outcome.wrote:
            self._announce(outcome)
        return CallToolResult(
            content=[TextContent(type="text", text=outcome.text)],
            structured_content=outcome.body,
            is_error=outcome.failed,
        )

    def _caller(self, context: Context[Any, Any] | None) -> Caller:
        if context is None:
            return self._nobody
        return Caller(
            actor=self._actor or _client_name(context),
            folder=self._folder,
            progress=_Reporter(context),
            person=person_behind(context, self._transport),
            transport=self._transport,
        )

    def _announce(self, outcome: Outcome) -> None:
        changed = outcome.project or ""
        self._followers.touched(lambda uri: self._shelf.project_of(uri) == changed)

    async def list_resources(self) -> list[MCPResource]:
        """The resources of the project that the working folder belongs to."""
        return await self._shelf.resources(self._nobody)

    async def list_resource_templates(self) -> list[MCPTemplate]:
        """Every kind of resource."""
        return self._shelf.templates()

    async def read_resource(
        self, uri: Any, context: Context[Any, Any] | None = None
    ) -> Iterable[ReadResourceContents]:
        """Read a resource by its URI."""
        reading = self._shelf.read(str(uri), self._caller(context))
        text = await self._answered(reading, uri=str(uri))
        return [ReadResourceContents(content=text, mime_type="application/json")]

    async def list_prompts(self) -> list[MCPPrompt]:
        """The prompts of every room."""
        return [_describe_prompt(prompt) for prompt in self._shelf.prompts]

    async def get_prompt(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
        context: Context[Any, Any] | None = None,  # noqa: ARG002 - the library's signature
    ) -> GetPromptResult:
        """Fill in a prompt."""
        return await self._answered(self._fill(name, arguments or {}))

    async def _fill(self, name: str, arguments: dict[str, str]) -> GetPromptResult:
        prompt, text = self._shelf.fill(name, arguments)
        message = PromptMessage(role="user", content=TextContent(type="text", text=text))
        return GetPromptResult(description=prompt.description, messages=[message])

    async def _complete(self, _context: Any, params: CompleteRequestParams) -> CompleteResult:
        given = dict((params.context.arguments or {}) if params.context else {})
        values = await self._answered(
            self._shelf.complete(params.argument.name, params.argument.value, given, self._nobody)
        )
        shown = Completion(values=values[:PAGE], total=len(values), has_more=len(values) > PAGE)
        return CompleteResult(completion=shown)

    async def _list_resources(self, _context: Any, params: PaginatedRequestParams | None) -> Any:
        return await self._answered(self._page_of_resources(params.cursor if params else None))

    async def _page_of_resources(self, cursor: str | None) -> Any:
        return self._shelf.page(await self.list_resources(), cursor, PAGE)

    async def _subscribe(self, context: Any, params: SubscribeRequestParams) -> EmptyResult:
        uri = str(params.uri)
        await self._answered(self._follow(_connection(context), uri))
        return EmptyResult()

    async def _follow(self, connection: Any, uri: str) -> None:
        await self._shelf.read(uri, self._nobody)
        await self._followers.subscribe(connection, uri)

    async def _unsubscribe(self, context: Any, params: UnsubscribeRequestParams) -> EmptyResult:
        self._followers.unsubscribe(_connection(context), str(params.uri))
        return EmptyResult()

    async def _listen(
        self, context: Any, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        wanted = params.notifications.resource_subscriptions or []
        ours = [uri for uri in map(str, wanted) if self._shelf.project_of(uri) is not None]
        with self._followers.listening(ours):
            await self._answered(self._followers.watch(ours))
            return await self._listener(context, params)

    async def _answered(self, work: Awaitable[T], **about: str) -> T:
        """The result in time, or a protocol error that says no more than a tool's would.

        What the error is `about` goes into its data.

        Raises:
            MCPError: Something went wrong.

        """
        try:
            async with asyncio.timeout(self._boundary.timeout):
                return await work
        except UndercroftError as error:
            code = INVALID_PARAMS if isinstance(error, InvalidInput | NotFound) else INTERNAL_ERROR
            raise MCPError(code, error.message, error.as_dict() | about) from None
        except TimeoutError:
            raise MCPError(INTERNAL_ERROR, "The server did not answer in time.") from None
        except MCPError:
            raise
        except Exception as error:
            log.exception("internal_error", exc_info=error)
            raise MCPError(INTERNAL_ERROR, "The server made a mistake.") from None


def describe(tool: Tool) -> MCPTool:
    """A tool as `tools/list` shows it."""
    hints = tool.annotations
    return MCPTool(
        name=tool.name,
        description=tool.description,
        input_schema=tool.input_schema,
        annotations=ToolAnnotations(**_snake(hints)),
    )


def _snake(hints: dict[str, bool]) -> dict[str, Any]:
    names = {"readOnlyHint": "read_only_hint", "destructiveHint": "destructive_hint"}
    names |= {"openWorldHint": "open_world_hint", "idempotentHint": "idempotent_hint"}
    return {names[name]: value for name, value in hints.items()}


def _describe_prompt(prompt: Prompt) -> MCPPrompt:
    parameters = inspect.signature(prompt.body).parameters.values()
    return MCPPrompt(
        name=prompt.name,
        description=prompt.description,
        arguments=[PromptArgument(name=p.name, required=p.default is p.empty) for p in parameters],
    )


def _client_name(context: Context[Any, Any]) -> str:
    client = context.session.client_params
    return printable(client.client_info.name if client and client.client_info else "") or "mcp"


def printable(name: str) -> str:
    """A name as it may stand in history and in a log: what a client calls itself is its own."""
    return "".join(c for c in name[:1_000] if c.isprintable()).strip()[:100]


def _connection(context: Any) -> Any:
    """The client's connection; the session is made anew for each request (and hides it)."""
    return context.session._connection  # noqa: SLF001 - as said; a test guards it


class _Reporter:
    """Progress notifications of one call; a client that asked for none gets none."""

    def __init__(self, context: Context[Any, Any]) -> None:
        self._context = context
        self._done = -1.0

    async def __call__(self, done: float, total: float | None = None, message: str = "") -> None:
        # The protocol wants it to grow; work that begins anew would count from the start.
        if done > self._done:
            self._done = done
            await self._context.report_progress(done, total, message or None)


def tokens(tools: Sequence[MCPTool]) -> int:
    """The usual estimate of what a tool list costs an agent: characters / 4."""
    listed = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    return len(to_json(listed).decode()) // 4
