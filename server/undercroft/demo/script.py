"""The demonstration itself: every step asserts what it shows."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcp import MCPError

from undercroft.demo.running import show_child, show_ports

if TYPE_CHECKING:
    from mcp import Client

    from undercroft.demo.material import Material
    from undercroft.demo.stage import Stage
    from undercroft.demo.transcript import Transcript

BATCH = 200
"""Records of one call; the tools take 500."""


class BrokenPromise(Exception):
    """A step did not do what it says."""


async def show(stage: Stage, material: Material, transcript: Transcript) -> None:
    """Play the whole demonstration.

    Raises:
        BrokenPromise: A step did not do what it says.

    """
    transcript.say("Undercroft, shown by an MCP client that starts the server over stdio.", "bold")
    transcript.say(f"Records: {len(material.records):,} from {material.origin}.")
    started = time.perf_counter()
    failure: BrokenPromise | None = None
    transcript.step("The client starts the server and asks what it offers")
    try:
        async with stage.client() as client:
            play = Play(client=client, transcript=transcript, material=material)
            failure = await _play(play, stage, started)
    except* (OSError, MCPError) as errors:
        # Raised here, it would come out in a group again.
        failure = BrokenPromise(f"client and server did not come to terms: {_innermost(errors)}")
    if failure is not None:
        raise failure
    seconds = time.perf_counter() - started
    transcript.say(f"\nEvery step did what it says, in {seconds:.1f} s.", "bold")
    transcript.say("The client has left, and so has its server.")


async def _play(play: Play, stage: Stage, started: float) -> BrokenPromise | None:
    """Do all steps; the failure is returned, since the client would wrap what is raised."""
    try:
        await play.look_around(started)
        await play.make_project(stage.project)
        await play.find_code()
        await play.keep_records()
        await play.change_and_go_back()
        await show_ports(play)
        await show_child(play, stage)
    except BrokenPromise as broken:
        return broken
    return None


def _innermost(error: BaseException) -> BaseException:
    return _innermost(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


@dataclass(kw_only=True)
class Play:
    """One client at work."""

    client: Client
    transcript: Transcript
    material: Material
    project: str = ""
    record: dict[str, Any] = field(default_factory=dict)
    """The record that the later steps change."""

    async def call(self, tool: str, *, refused: str = "", **arguments: Any) -> dict[str, Any]:
        """Call a tool and show it; `refused` is the error code that must come back."""
        self.transcript.call(tool, arguments)
        begun = time.perf_counter()
        body = await self._quietly(tool, arguments, refused)
        seconds = time.perf_counter() - begun
        self.transcript.answer(body, refused=bool(refused), seconds=seconds)
        return body

    async def _quietly(
        self, tool: str, arguments: dict[str, Any], refused: str = ""
    ) -> dict[str, Any]:
        if self.project:
            arguments = {**arguments, "project": self.project}
        result = await self.client.call_tool(tool, arguments)
        body: dict[str, Any] = dict(result.structured_content or {})
        code = body.get("code", "") if result.is_error else ""
        if code != refused:
            raise BrokenPromise(
                f"{tool} should {f'be refused with {refused}' if refused else 'succeed'}, "
                f"and answered {body.get('message') or body}"
            )
        return body

    def promise(self, kept: object, text: str) -> None:
        """State what a step has shown, if it is true."""
        if not kept:
            raise BrokenPromise(f"it is not true that {text}")
        self.transcript.truth(text)

    async def look_around(self, started: float) -> None:
        """Ask for the tools; `started` is when the server's start began."""
        tools = (await self.client.list_tools()).tools
        names = [tool.name for tool in tools]
        self.transcript.call("tools/list", {})
        self.transcript.answer(
            {"tools": names}, refused=False, seconds=time.perf_counter() - started
        )
        self.promise("create_entities" in names, f"the server offers {len(names)} tools")

    async def make_project(self, project: str) -> None:
        """Make the project that all the rest happens in."""
        self.transcript.step("A project: a private database")
        made = await self.call("create_project", name=project, description="A demonstration.")
        self.promise(made["name"] == project, f"the project {project} has a database of its own")
        self.project = project

    async def find_code(self) -> None:
        """Index the code, ask for something in it, and read on around the answer."""
        self.transcript.step("Code: indexed once, found by what it means")
        done = await self.call("index_repository", path=str(self.material.code), name="code")
        while done["status"] == "in_progress":
            done = await self.call(
                "index_repository", path=str(self.material.code), wait_seconds=50
            )
        self.promise(
            done["status"] == "completed" and done["chunks"],
            f"{done['files']:,} files are searchable, as {done['chunks']:,} pieces",
        )
        found = await self.call("semantic_search", query=self.material.question, limit=3)
        self.promise(found["items"], f"an answer to “{self.material.question}” is found")
        best = found["items"][0]
        lines = {"start_line": best["start_line"], "end_line": best["end_line"]}
        place = await self.call("read_code", path=best["path"], **lines, context_lines=3)
        self.promise(
            best["text"] in place["text"],
            f"the best one is {best['path']}, lines {best['start_line']} to {best['end_line']}",
        )

    async def keep_records(self) -> None:
        """Make a type, store every record, and ask a question."""
        self.transcript.step("A type: JSON Schema says what a record is")
        kind = self.material
        await self.call("define_entity_type", name=kind.type, schema=dict(kind.schema))
        bad = {**kind.records[0], "files": "many"}
        await self.call("create_entity", type=kind.type, data=bad, refused="invalid_input")
        self.promise(True, "what does not fit the type is refused")  # noqa: FBT003 - `call` checked it
        await self._import_all()
        await self._ask()

    async def _import_all(self) -> None:
        kind, records = self.material, list(self.material.records)
        self.transcript.step(f"Import: {len(records):,} records, {BATCH} in a call, all or none")
        self.transcript.call("create_entities", {"type": kind.type, "records": records[:BATCH]})
        begun, stored = time.perf_counter(), 0
        with self.transcript.progress("importing", len(records)) as advance:
            for start in range(0, len(records), BATCH):
                batch = records[start : start + BATCH]
                body = await self._quietly("create_entities", {"type": kind.type, "records": batch})
                stored += len(body["items"])
                advance(len(batch))
        seconds = time.perf_counter() - begun
        self.transcript.answer(body, refused=False, seconds=seconds)
        counted = await self._quietly(
            "query_entities", {"type": kind.type, "limit": 1, "count": True}
        )
        self.promise(
            stored == counted["count"] == len(records),
            f"{stored:,} records are stored ({stored / seconds:,.0f} a second)",
        )

    async def _ask(self) -> None:
        kind = self.material
        self.transcript.step("A query: filtered, sorted, only the fields that matter")
        page = await self.call(
            "query_entities",
            type=kind.type,
            where=dict(kind.where),
            sort=list(kind.sort),
            fields=list(kind.fields),
            limit=3,
        )
        name = kind.sort[0].lstrip("-")
        values = [item["data"][name] for item in page["items"]]
        self.promise(
            values and values == sorted(values, reverse=True),
            f"the most {name} come first: {', '.join(map(str, values))}",
        )
        self.record = page["items"][0]

    async def change_and_go_back(self) -> None:
        """Update, meet a conflict, look at the history, delete, restore and undo."""
        await self._update()
        await self._look_back()
        await self._restore()
        await self._undo()

    async def _update(self) -> None:
        target, version = self.record["id"], self.record["version"]
        patch = {"reviewed": True}
        self.transcript.step("An update names the version that was read")
        done = await self.call("update_entity", id=target, version=version, patch=patch)
        self.promise(done["version"] == version + 1, f"the record has version {version + 1}")
        self.transcript.step("A second agent read the same version, and comes too late")
        late = {"id": target, "version": version, "patch": {"reviewed": False}}
        refusal = await self.call("update_entity", **late, refused="conflict")
        current = refusal["data"]["current_version"]
        self.promise(current == version + 1, f"it is told the current version, {current}")

    async def _look_back(self) -> None:
        self.transcript.step("History: who changed what, and when")
        history = await self.call("get_entity_history", id=self.record["id"])
        operations = [entry["operation"] for entry in history["items"]]
        self.promise(operations == ["update", "create"], "both versions stand in the history")
        who = history["items"][0]["changed_by"]
        self.promise(who == "undercroft-demo", f"the change is known to be {who}'s")

    async def _restore(self) -> None:
        target, version = self.record["id"], self.record["version"]
        self.transcript.step("Deleted by mistake, and restored")
        await self.call("delete_entity", id=target, version=version + 1)
        await self.call("get_entity", id=target, refused="not_found")
        await self.call("restore_entity", id=target, version=version + 2)
        body = await self.call("get_entity", id=target, fields=["reviewed"])
        self.promise(body["data"] == {"reviewed": True}, "the record is back as it was")

    async def _undo(self) -> None:
        target, version = self.record["id"], self.record["version"]
        self.transcript.step("Undo: back to the first version, as a new one")
        await self.call("undo", id=target, version=version + 3, to_version=version)
        body = await self.call("get_entity", id=target)
        self.promise(
            body["version"] == version + 4 and "reviewed" not in body["data"],
            "the change is gone, and nothing is lost: every version is kept",
        )
