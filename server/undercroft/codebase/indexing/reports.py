"""Rows as the values that callers see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from undercroft.codebase.indexing.lease import is_dead
from undercroft.codebase.indexing.models import RepositoryStatus

if TYPE_CHECKING:
    from undercroft.codebase.indexing.planning import Look


def omitted_by_reason(found: Look, rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What the walk left out and what was left out for its bytes, by reason."""
    omissions = found.walk.omissions
    omitted: dict[str, dict[str, Any]] = {
        reason: {"count": count, "examples": list(omissions.examples.get(reason, ()))}
        for reason, count in omissions.counts.items()
    }
    for row in rows:
        of = omitted.setdefault(row["reason"], {"count": 0, "examples": []})
        of["count"] += row["files"]
        of["examples"] = [*of["examples"], *row["examples"]][:3]
    return dict(sorted(omitted.items(), key=lambda item: -item[1]["count"]))


def status_from(row: Mapping[str, Any]) -> RepositoryStatus:
    """A repository's state; a holder that is dead is told from one at work."""
    working = row["indexing_status"] == "in_progress"
    seconds = row["indexing_duration_seconds"]
    return RepositoryStatus(
        id=row["id"],
        name=row["name"],
        path=row["repo_path"],
        status=row["indexing_status"],
        interrupted=working and (not row["leased"] or is_dead(row["holder"])),
        stage=row["stage"],
        done=row["run_done"],
        total=row["run_total"],
        total_files=row["total_files"],
        total_chunks=row["total_chunks"],
        omitted=from_json(row["omitted"]),
        by_git=row["by_git"],
        truncated=row["truncated"],
        error=row["error"],
        last_indexed_at=row["last_indexed_at"],
        duration_seconds=None if seconds is None else float(seconds),
        generation=row["generation"],
    )
