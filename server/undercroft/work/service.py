"""The work room: one door to its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from undercroft.paging import Page
from undercroft.work import claims, history, items, kinds, ready, reviews, transfer, tree
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

if TYPE_CHECKING:
    from undercroft.db.database import Database


class Work:
    """The work of one project. Ids are `w-…`, or `kind:w-…` anywhere."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create_plan(self, nodes: Sequence[Any], parent: str = "") -> Planned:
        """A whole tree, all or none; see `tree.create_plan`."""
        return await tree.create_plan(self._db, nodes, parent)

    async def get_plan(self, item: str = "", **shown: Any) -> Plan:
        """A tree under a budget; the keywords are those of `tree.get_plan`."""
        return await tree.get_plan(self._db, item, **shown)

    async def create(
        self, title: str, parent: str = "", fields: Mapping[str, Any] | None = None
    ) -> Written:
        """One item, the last of its parent's children."""
        return await items.create(self._db, title, parent, fields or {})

    async def get(self, item: str, comments: int = items.COMMENTS) -> Item:
        """An item with all around it."""
        return await items.get(self._db, item, comments=comments)

    async def read(self, item: str) -> Item:
        """The same whole, however long, with all that was said about it."""
        return await items.read(self._db, item)

    async def update(
        self, item: str, fields: Mapping[str, Any], version: int = 0, epoch: int = 0
    ) -> Written:
        """Change some fields, by the version that was read or under a claim."""
        return await items.update(self._db, item, fields, version, epoch)

    async def move(self, item: str, **where: Any) -> Written:
        """To another place; the keywords are those of `tree.move`."""
        return await tree.move(self._db, item, **where)

    async def query(self, **wanted: Any) -> Page[Summary]:
        """Items by their fields; the keywords are those of `items.query`."""
        return await items.query(self._db, **wanted)

    async def ready(self, **wanted: Any) -> list[Ready]:
        """What can be started now; the keywords are those of `ready.ready`."""
        return await ready.ready(self._db, **wanted)

    async def blocked(self, limit: int = 50, cursor: str = "") -> Page[Blocked]:
        """What waits, and for what."""
        return await ready.blocked(self._db, limit, cursor)

    async def claim(self, item: str = "", **wanted: Any) -> Claimed:
        """A given item or the best ready one; the keywords are those of `claims.claim`."""
        return await claims.claim(self._db, item, **wanted)

    async def renew(self, item: str, epoch: int, ttl: float = 0) -> Claimed:
        """A heartbeat."""
        return await claims.renew(self._db, item, epoch, ttl)

    async def release(self, item: str, epoch: int = 0, *, force: bool = False) -> Written:
        """Give an item back for others to take."""
        return await claims.release(self._db, item, epoch, force=force)

    async def claims(self) -> list[dict[str, Any]]:
        """Who is at what."""
        return await claims.listed(self._db)

    async def finish(
        self, item: str, epoch: int = 0, status: str = "", outcome: str = ""
    ) -> Written:
        """Close an item."""
        return await items.finish(self._db, item, epoch, status, outcome)

    async def link(self, source: str, kind: str, target: str, *, remove: bool = False) -> Link:
        """Make a link, or end one."""
        return await items.link(self._db, source, kind, target, remove=remove)

    async def comment(self, item: str, body: str, agent: str = "") -> Comment:
        """Say something about an item."""
        return await items.comment(self._db, item, body, agent)

    async def review(self, item: str, action: str, **said: Any) -> Review:
        """The next step of a review; the keywords are those of `reviews.step`."""
        return await reviews.step(self._db, item, action, **said)

    async def resolve(self, item: str, choice: str, **said: Any) -> Review:
        """Settle a dispute; the keywords are those of `reviews.resolve`."""
        return await reviews.resolve(self._db, item, choice, **said)

    async def disputes(self, status: str = "open", item: str = "") -> list[dict[str, Any]]:
        """Disputes with both sides, of all items or one."""
        return await reviews.disputes(self._db, status, item)

    async def settings(
        self, complexity_threshold: float | None = None, max_iterations: int | None = None
    ) -> Settings:
        """What holds for reviews here, after setting what is given."""
        return await reviews.settings(self._db, complexity_threshold, max_iterations)

    async def history(self, item: str, limit: int = 20, cursor: str = "") -> Page[Version]:
        """What happened to an item, newest first."""
        return await history.history(self._db, item, limit, cursor)

    async def undo(self, item: str, version: int, to_version: int = 0, epoch: int = 0) -> Written:
        """Take back the last change, or all since a version."""
        return await history.undo(self._db, item, version, to_version, epoch)

    async def delete(self, item: str, version: int) -> Touched:
        """Delete an item and all beneath it."""
        return await items.delete(self._db, item, version)

    async def restore(self, item: str, version: int) -> Touched:
        """Bring back what was deleted together."""
        return await items.restore(self._db, item, version)

    async def archive(self, item: str, *, away: bool = True) -> Touched:
        """Put closed work out of the way, or bring it back."""
        return await items.archive(self._db, item, away=away)

    async def kinds(self) -> list[dict[str, Any]]:
        """Kinds with their statuses and transitions."""
        return await kinds.kinds(self._db)

    async def define_kind(
        self, name: str, statuses: Sequence[Any], description: str = ""
    ) -> dict[str, Any]:
        """Make a kind of the project's own."""
        return await kinds.define(self._db, name, statuses, description)

    async def export(self) -> list[str]:
        """Everything but the history, as JSON lines; imported, they export the same again."""
        return await transfer.exported(self._db)

    async def import_text(self, text: str, form: str = "auto") -> Imported:
        """Lines of ours, or what beads, Task-master or GitHub write; see `transfer.imported`."""
        return await transfer.imported(self._db, text, form)
