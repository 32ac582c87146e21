"""Ports that have lost their reason: the worktree is gone, the project archived, the time over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undercroft.db.queries import load_queries
from undercroft.ports.listening import look
from undercroft.ports.models import Freed, Reclaimed

if TYPE_CHECKING:
    from undercroft.db.database import Database

SQL = load_queries(__package__)


async def reclaim(registry: Database, host: str, *, dry_run: bool) -> Reclaimed:
    """Take them back, but for those that something still listens on."""
    listed = await registry.fetch(SQL.list_reclaimable, host)
    since = {row["port"]: row["allocated_at"] for row in listed}
    lost = await _lost(listed)
    rows = await registry.fetch(SQL.list_expired)
    over = [Freed(**row, reason="reservation over") for row in rows]
    seen = await look([one.port for one in lost])
    alive = {one.port for one in seen if one.state != "silent"}
    freed = [one for one in lost if one.port not in alive]
    if not dry_run:
        # By now it may be another's: what is given anew is not the same allocation.
        numbers = [one.port for one in freed]
        rows = await registry.fetch(SQL.release_lost, host, numbers, [since[n] for n in numbers])
        gone = {row["port"] for row in rows}
        freed = [one for one in freed if one.port in gone]
        await registry.fetch_value(SQL.cleanup_reservations)
    return Reclaimed(freed=[*freed, *over], kept=[one for one in lost if one.port in alive])


async def _lost(rows: Sequence[Any]) -> Sequence[Freed]:
    # A worktree may be called anything; only a path can be seen to be gone.
    folders = {path for row in rows if (path := Path(row["worktree"] or "")).is_absolute()}
    gone = await asyncio.to_thread(lambda: {str(one) for one in folders if not one.is_dir()})
    return [
        Freed(
            port=row["port"],
            service=row["service"],
            project=row["project"],
            worktree=row["worktree"],
            reason="project archived" if row["archived"] else "worktree gone",
        )
        for row in rows
        if row["archived"] or row["worktree"] in gone
    ]
