"""Ask the product every question about a repository, and keep what its ranking was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from statistics import fmean
from unittest.mock import patch

from benchmarks.ground import ask
from benchmarks.quality.data import Question, Repository
from benchmarks.quality.scoring import DEPTH, Lines, ndcg
from undercroft.app import App
from undercroft.codebase import search
from undercroft.codebase.ranking import Candidate, Ranked, Seen, rank
from undercroft.codebase.service import Codebase
from undercroft.db.database import Database
from undercroft.db.queries import load_queries

SQL = load_queries(__package__, "quality.sql")
PATIENCE = 600.0
"""Seconds that indexing one repository may take."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A question, what the product answered, and what its ranking chose from."""

    question: Question
    found: Sequence[Lines]
    seen: Seen
    """What its ranking was given."""
    lines: Mapping[int, tuple[int, int]]
    """First and last of each candidate."""
    root: str

    def places(self, ranked: Sequence[Candidate]) -> list[Lines]:
        """Where candidates stand in the repository."""
        return [Lines(_full(self.root, one.path), *self.lines[one.chunk]) for one in ranked]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """All that was asked about a repository."""

    answers: Sequence[Answer]
    exact: bool
    """Whether its files were those of the revision, not the newest."""

    @property
    def score(self) -> float:
        """Mean NDCG@10 over its questions."""
        return fmean(ndcg(one.found, one.question.targets) for one in self.answers)


async def answers(app: App, repository: Repository, folder: Path) -> list[Answer]:
    """Index a folder as a project of its own and ask.

    Raises:
        RuntimeError: Its index was not complete in time.

    """
    project = f"q_{''.join(one if one.isalnum() else '_' for one in repository.name.lower())}"
    await ask(app, "create_project", name=project)
    opened = await app.open(project)
    codebase = await app.codebase(project)
    done = await codebase.index(folder / repository.root, repository.name, wait=PATIENCE)
    if done.status != "completed":
        raise RuntimeError(f"{repository.name}: {done.status} {done.error or ''}")
    await codebase.settled()
    return [
        await _answer(codebase, opened.database, repository.root, question)
        for question in repository.questions
    ]


async def _answer(codebase: Codebase, db: Database, root: str, question: Question) -> Answer:
    with _overheard() as heard:
        found = await codebase.search(question.text, limit=DEPTH)
    seen = heard[-1]
    chunks = [one.chunk for one in seen.candidates]
    rows = await db.fetch(SQL.get_lines, chunks)
    return Answer(
        question=question,
        found=[Lines(_full(root, hit.path), hit.start_line, hit.end_line) for hit in found.items],
        seen=seen,
        lines={row["id"]: (row["start_line"], row["end_line"]) for row in rows},
        root=root,
    )


@contextmanager
def _overheard() -> Iterator[list[Seen]]:
    """Listen to what a search hands to its ranking: other weights are tried on the very same."""
    heard: list[Seen] = []

    def listening(seen: Seen, *, limit: int) -> list[Ranked]:
        heard.append(seen)
        return rank(seen, limit=limit)

    with patch.object(search, "rank", listening):
        yield heard


def _full(root: str, path: str) -> str:
    """In the repository, not in the folder that is indexed: shorter paths would fit too many."""
    return str(PurePosixPath(root) / path)
