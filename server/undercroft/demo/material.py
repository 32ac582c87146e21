"""Real input for a demonstration: a checkout's history, or what this Python has installed."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import undercroft
from undercroft.checkout import top_of

MOST = 2_000
"""Records at most; a long history's newest."""

_FORMAT = "%x1e%H%x1f%an%x1f%aI%x1f%s"
_WORD = re.compile(r"[^\W\d_]{3}")
_COUNT = re.compile(r"(\d+) (file|insertion|deletion)")


@dataclass(frozen=True, kw_only=True)
class Material:
    """Code with a question about it; records of one type, and a question that they answer."""

    code: Path
    """The folder that is searched."""
    question: str
    origin: str
    """Where the records came from, as half a sentence."""
    type: str
    schema: Mapping[str, Any]
    records: Sequence[Mapping[str, Any]]
    where: Mapping[str, Any]
    sort: Sequence[str]
    fields: Sequence[str]


def gather(folder: Path) -> Material:
    """The history that the folder stands in; without one, the installed distributions."""
    commits = list(_commits(folder))
    return _history(commits, folder) if commits else _installed()


def _history(commits: Sequence[Mapping[str, Any]], folder: Path) -> Material:
    return Material(
        code=top_of(folder),
        # What was worked on last can be found by what was said of it.
        question=next((one["subject"] for one in commits if _WORD.search(one["subject"])), "main"),
        origin=f"the git history of {folder}",
        type="commit",
        schema=_object(
            {
                "hash": {"type": "string", "pattern": "^[0-9a-f]{40,64}$"},
                "author": {"type": "string"},
                "date": {"type": "string", "format": "date-time"},
                "subject": {"type": "string"},
                "files": {"type": "integer", "minimum": 0},
                "insertions": {"type": "integer", "minimum": 0},
                "deletions": {"type": "integer", "minimum": 0},
            },
            indexed=["date", "insertions"],
        ),
        records=commits,
        where={"insertions": {"gte": 1}},
        sort=["-insertions"],
        fields=["subject", "insertions", "date"],
    )


def _installed() -> Material:
    records = [
        {"name": one.metadata["Name"], "release": one.version, "files": len(one.files or [])}
        for one in distributions()
        if one.metadata["Name"]
    ]
    return Material(
        code=Path(undercroft.__file__).parent,
        question="where is a stale update refused?",
        origin="the Python packages installed here (no git history was found)",
        type="distribution",
        schema=_object(
            {
                "name": {"type": "string"},
                "release": {"type": "string"},
                "files": {"type": "integer", "minimum": 0},
            },
            indexed=["files"],
        ),
        records=records[:MOST],
        where={"files": {"gte": 1}},
        sort=["-files"],
        fields=["name", "release", "files"],
    )


def _object(properties: Mapping[str, Any], indexed: Sequence[str]) -> dict[str, Any]:
    """A closed type of these fields, with one more for the demonstration to set."""
    return {
        "type": "object",
        "properties": {**properties, "reviewed": {"type": "boolean"}},
        "required": list(properties),
        "additionalProperties": False,
        "x-indexed": list(indexed),
    }


def _commits(folder: Path) -> Iterator[dict[str, Any]]:
    command = ["git", "log", f"--max-count={MOST}", f"--format={_FORMAT}", "--shortstat"]
    # The counts are read as English words.
    environment = os.environ | {"LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            command, cwd=folder, env=environment, capture_output=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return
    for entry in done.stdout.decode("utf-8", "replace").split("\x1e")[1:]:
        yield _commit(entry)


def _commit(entry: str) -> dict[str, Any]:
    head, _, counts = entry.partition("\n")
    commit_hash, author, date, subject = head.split("\x1f", 3)
    counted = {name: int(number) for number, name in _COUNT.findall(counts)}
    return {
        "hash": commit_hash,
        "author": author,
        "date": date,
        "subject": subject,
        "files": counted.get("file", 0),
        "insertions": counted.get("insertion", 0),
        "deletions": counted.get("deletion", 0),
    }
