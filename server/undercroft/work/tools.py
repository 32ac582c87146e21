"""Work as tools."""

from typing import Annotated, Any

from pydantic import Field

from undercroft.mcp.toolset import Toolset
from undercroft.paging import Page
from undercroft.work.models import (
    Blocked,
    Claimed,
    Comment,
    Imported,
    Item,
    Link,
    Plan,
    Planned,
    Ready,
    Review,
    Settings,
    Summary,
    Touched,
    Version,
    Written,
)
from undercroft.work.service import Work

tools = Toolset("work")

Json = dict[str, Any]
Texts = list[str]


@tools.write
async def create_plan(work: Work, items: list[Json], parent: str = "") -> Planned:
    """Make a tree, all or none.

    Item: title, kind (epic issue task step), description, priority 0-4, labels, assignee, due,
    estimate, acceptance, code_links, entities; key, children, blocked_by (keys, ids),
    sequential.
    """
    return await work.create_plan(items, parent)


@tools.read
async def get_plan(
    work: Work,
    id: str = "",  # noqa: A002 - the agent's word
    tokens: int = 0,
    cursor: str = "",
) -> Plan:
    """Show the tree."""
    return await work.get_plan(id, tokens=tokens, cursor=cursor)


@tools.write
async def create_work(work: Work, title: str, parent: str = "", fields: Json = {}) -> Written:  # noqa: B006 - never changed
    """Make one."""
    return await work.create(title, parent, fields)


@tools.read
async def get_work(work: Work, id: str) -> Item:  # noqa: A002 - the agent's word
    """Read an item."""
    return await work.get(id)


@tools.write
async def update_work(
    work: Work,
    id: str,  # noqa: A002 - the agent's word
    fields: Json,
    version: int = 0,
    epoch: int = 0,
) -> Written:
    """Change fields, by version or your claim's epoch."""
    return await work.update(id, fields, version, epoch)


@tools.write
async def move_work(  # noqa: PLR0913, PLR0917 - what, where to, and by what right
    work: Work,
    id: str,  # noqa: A002 - the agent's word
    parent: str = "",
    before: str = "",
    after: str = "",
    version: int = 0,
    epoch: int = 0,
) -> Written:
    """Put an item elsewhere."""
    return await work.move(
        id, parent=parent, before=before, after=after, version=version, epoch=epoch
    )


@tools.read
async def query_work(
    work: Work,
    text: str = "",
    where: Json = {},  # noqa: B006 - never changed
    limit: int = 0,
    cursor: str = "",
) -> Page[Summary]:
    """Find items. where: status, kind, labels, assignee, parent."""
    return await work.query(text=text, where=where, limit=limit or 50, cursor=cursor)


@tools.read
async def ready_work(
    work: Work,
    where: Json = {},  # noqa: B006 - never changed
    limit: int = 0,
) -> list[Ready]:
    """What can start now. where: kind, labels, under."""
    return await work.ready(where=where, limit=limit or 10)


@tools.write
async def claim_work(  # noqa: PLR0913, PLR0917 - what, and for whom
    work: Work,
    id: str = "",  # noqa: A002 - the agent's word
    agent: str = "",
    ttl: float = 0,
    where: Json = {},  # noqa: B006 - never changed
    epoch: int = 0,
) -> Claimed:
    """Take an item, else the best ready one, for ttl (900) seconds; id and epoch: renew."""
    if epoch:
        return await work.renew(id, epoch, ttl)
    return await work.claim(id, agent=agent, ttl=ttl, where=where)


@tools.write
async def finish_work(
    work: Work,
    id: str,  # noqa: A002 - the agent's word
    epoch: int = 0,
    outcome: str = "",
    status: str = "",
) -> Written:
    """Complete; status: cancelled; pending gives it back."""
    return await work.finish(id, epoch, status, outcome)


@tools.write
async def link_work(
    work: Work,
    id: str,  # noqa: A002 - the agent's word
    type: str,  # noqa: A002 - the agent's word
    target: str,
    remove: bool = False,
) -> Link:
    """Link: blocks, blocked_by, relates, duplicates, discovered_from."""
    return await work.link(id, type, target, remove=remove)


@tools.write
async def comment_on_work(work: Work, id: str, body: str, agent: str = "") -> Comment:  # noqa: A002 - the agent's word
    """Say something."""
    return await work.comment(id, body, agent)


@tools.write
async def review_step(  # noqa: PLR0913, PLR0917 - who does what, and why
    work: Work,
    id: str,  # noqa: A002 - the agent's word
    action: str,
    agent: str,
    content: str = "",
    reasoning: str = "",
    complexity: float = 0,
    resolver: str = "",
) -> Review:
    """Agree: propose, request_changes, revise, approve, dispute; complexity 0-10."""
    return await work.review(
        id,
        action,
        agent=agent,
        content=content,
        reasoning=reasoning,
        complexity=complexity or None,
        resolver=resolver,
    )


@tools.write
async def resolve_dispute(
    work: Work,
    id: str,  # noqa: A002 - the agent's word
    choice: str,
    agent: str,
    content: str = "",
) -> Review:
    """Settle: server, client, hybrid, own."""
    return await work.resolve(id, choice, content=content, agent=agent)


@tools.read(toolset="work_admin")
async def blocked_work(
    work: Work, limit: Annotated[int, Field(ge=1, le=200)] = 50, cursor: str = ""
) -> Page[Blocked]:
    """See what waits, and for what."""
    return await work.blocked(limit, cursor)


@tools.read(toolset="work_admin")
async def get_work_history(
    work: Work,
    id: str,  # noqa: A002 - the agent's word
    limit: Annotated[int, Field(ge=1, le=100)] = 20,
    cursor: str = "",
) -> Page[Version]:
    """Who changed what of an item and when, newest first."""
    return await work.history(id, limit, cursor)


@tools.write(toolset="work_admin")
async def undo_work(
    work: Work,
    id: str,  # noqa: A002 - the agent's word
    version: int,
    to_version: int = 0,
    epoch: int = 0,
) -> Written:
    """Take back the change that made `version`, or all after to_version."""
    return await work.undo(id, version, to_version, epoch)


@tools.write(toolset="work_admin", destructive=True)
async def delete_work(work: Work, id: str, version: int) -> Touched:  # noqa: A002 - the agent's word
    """Delete an item and all beneath it; restore_work brings them back."""
    return await work.delete(id, version)


@tools.write(toolset="work_admin")
async def restore_work(work: Work, id: str, version: int) -> Touched:  # noqa: A002 - the agent's word
    """Bring back an item and what was deleted with it; query_work where hidden=true finds it."""
    return await work.restore(id, version)


@tools.write(toolset="work_admin", idempotent=True)
async def archive_work(work: Work, id: str, back: bool = False) -> Touched:  # noqa: A002 - the agent's word
    """Put a closed item and all beneath it out of the way, or back."""
    return await work.archive(id, away=not back)


@tools.write(toolset="work_admin")
async def release_claim(work: Work, id: str, epoch: int = 0, force: bool = False) -> Written:  # noqa: A002 - the agent's word
    """Give a claimed item back; force: a person ends another's claim."""
    return await work.release(id, epoch, force=force)


@tools.read(toolset="work_admin")
async def list_claims(work: Work) -> list[Json]:
    """See who is at what, and until when."""
    return await work.claims()


@tools.read(toolset="work_admin")
async def list_disputes(work: Work, status: str = "open", id: str = "") -> list[Json]:  # noqa: A002 - the agent's word
    """Read disputes with both sides (status: open, resolved or empty)."""
    return await work.disputes(status, id)


@tools.read(toolset="work_admin")
async def list_work_kinds(work: Work) -> list[Json]:
    """List kinds of work with their statuses and what each may become."""
    return await work.kinds()


@tools.write(toolset="work_admin")
async def define_work_kind(
    work: Work, name: str, statuses: list[Json], description: str = ""
) -> Json:
    """Make a kind: statuses in order, each {status, category, to: [statuses]}.

    category: todo, doing, paused, done, dropped.
    """
    return await work.define_kind(name, statuses, description)


@tools.write(toolset="work_admin", idempotent=True)
async def set_review_rules(
    work: Work, complexity_threshold: float = -1, max_iterations: int = 0
) -> Settings:
    """Set when a step becomes a task, and after how many changes a review is a dispute."""
    return await work.settings(
        None if complexity_threshold == -1 else complexity_threshold, max_iterations or None
    )


@tools.write(toolset="work_admin", idempotent=True)
async def import_work(work: Work, text: str, format: str = "auto") -> Imported:  # noqa: A002 - the agent's word
    """Take over work: JSON lines of `undercroft work export`, beads, Task-master, GitHub issues.

    What was imported before is left as it is. format: auto, undercroft, beads, taskmaster, github.
    """
    return await work.import_text(text, format)
