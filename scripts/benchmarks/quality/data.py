"""A folder of queries with known answers: `<repository>.jsonl`, repos.json, peer-results.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Target:
    """A place that answers a query: a file, or some lines of it."""

    path: str
    start: int = 1
    end: int | None = None
    """None: to the end of the file."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked, and what answers it."""

    text: str
    category: str
    targets: Sequence[Target]


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository at a revision, and what is asked about it."""

    name: str
    url: str
    revision: str
    """Empty: the newest."""
    root: str
    """The folder that is indexed; empty: all."""
    questions: Sequence[Question]


@dataclass(frozen=True, kw_only=True)
class Peer:
    """What somebody else's search reached on repositories of these."""

    name: str
    scores: Mapping[str, float]
    """Mean NDCG@10 by repository."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """Everything in the folder."""

    repositories: Sequence[Repository]
    peers: Sequence[Peer]


def load(folder: Path) -> Data:
    """Read the folder; a repository without questions is none of it."""
    listed = json.loads((folder / "repos.json").read_text(encoding="utf-8"))
    peers = folder / "peer-results.json"
    methods = json.loads(peers.read_text(encoding="utf-8"))["methods"] if peers.exists() else {}
    return Data(
        repositories=[
            _repository(one, questions)
            for one in listed
            if (questions := folder / f"{one['name']}.jsonl").exists()
        ],
        peers=[Peer(name=name, scores=one["ndcg10"]) for name, one in methods.items()],
    )


def _repository(listed: Mapping[str, Any], questions: Path) -> Repository:
    lines = questions.read_text(encoding="utf-8").splitlines()
    return Repository(
        name=listed["name"],
        url=listed["url"],
        revision=listed["revision"] if listed.get("available", True) else "",
        root=listed.get("benchmark_root") or "",
        questions=[_question(json.loads(line)) for line in lines if line.strip()],
    )


def _question(row: Mapping[str, Any]) -> Question:
    return Question(
        text=row["query"],
        category=row.get("category", ""),
        targets=[_target(one) for one in (*row["relevant"], *row.get("secondary", ()))],
    )


def _target(given: str | Mapping[str, Any]) -> Target:
    if isinstance(given, str):
        return Target(path=given)
    return Target(path=given["path"], start=given.get("start_line") or 1, end=given.get("end_line"))
