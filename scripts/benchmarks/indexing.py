"""Indexing a repository: all of it, a second worktree, what changed, and nothing."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import bare_copy, corpus
from benchmarks.figures import Figure, Judgement, Medians, bare, ours_alone
from benchmarks.frame import Effort, Sampler, interleave, timed
from benchmarks.ground import ask, bare_connection, scratch_app, scratch_home
from benchmarks.indexing_trial import Trial
from benchmarks.resources import watched
from undercroft.app import App

FILES, QUICK_FILES = 10_000, 400

Samples = Mapping[str, list[list[float]]]


def share(medians: Medians) -> float:
    """Percent of the bare thing."""
    return 100 * medians["ours"] / medians["bare"]


def whole(count: int) -> Judgement:
    """What a run over that many files promises."""
    return Judgement(
        name=f"{count:,} files",
        meaning=f"{count:,} files of packages in ten languages, from the walk until they are "
        "searchable, beside a bare COPY of the same rows into tables of the same make",
        unit="s",
        value_unit="s",
        target=25.0,
        of=ours_alone,
        baseline=bare,
    )


MEMORY = Judgement(
    name="peak memory",
    meaning="the most that the server and its workers held together meanwhile (PostgreSQL not "
    "counted)",
    unit="MB",
    value_unit="MB",
    target=600.0,
    of=ours_alone,
)
NOTHING = Judgement(
    name="nothing changed",
    meaning="bringing the index up to date when nothing has changed, beside `git status`",
    unit="ms",
    value_unit="ms",
    target=150.0,
    of=ours_alone,
    baseline=bare,
)
ONE = Judgement(
    name="one file changed",
    meaning="the same when one file has changed",
    unit="ms",
    value_unit="ms",
    target=300.0,
    of=ours_alone,
    baseline=bare,
)
WORKTREE = Judgement(
    name="second worktree",
    meaning="a second worktree of the same repository, beside the first",
    unit="s",
    value_unit="%",
    target=10.0,
    of=share,
    baseline=bare,
)
BYTES = Judgement(
    name="bytes of a worktree",
    meaning="what the second worktree adds to the database, beside what the first one added",
    unit="MB",
    value_unit="%",
    target=5.0,
    of=share,
    baseline=bare,
)


@dataclass(kw_only=True)
class Rounds:
    """The repository, and what each round has told."""

    app: App
    root: Path
    samples: defaultdict[str, list[list[float]]] = field(default_factory=lambda: defaultdict(list))
    details: Mapping[str, str] = field(default_factory=dict)

    async def go(self, project: str) -> None:
        """The whole repository and a second worktree of it, into a project of their own."""
        await ask(self.app, "create_project", name=project)
        async with bare_connection(self.app, f"project_{project}") as connection:
            opened = await self.app.open(project)
            trial = Trial(database=opened.database, connection=connection)
            await bare_copy.make_tables(connection)
            empty = await trial.size()
            with watched() as peak:
                self._note("seconds", await trial.index(self.root))
            self._note("memory", peak.bytes / 1e6)
            self._note("copy", await bare_copy.copy_all(connection))
            self.details = await trial.details(self.root)
            first = await trial.size()
            self._note("bytes", first - empty)
            await self._second(trial, project)
            self._note("worktree bytes", await trial.size() - first)

    async def _second(self, trial: Trial, name: str) -> None:
        worktree = self.root.with_name(name)
        corpus.git(self.root, "worktree", "add", "--quiet", "--detach", str(worktree))
        self._note("worktree", await trial.index(worktree))

    def _note(self, name: str, value: float) -> None:
        self.samples[name].append([value])

    def figures(self, count: int) -> Iterator[Figure]:
        """What the rounds promise."""
        seconds = whole(count).figure(self._sides("seconds", "copy"))
        yield replace(seconds, details=self.details)
        yield MEMORY.figure({"ours": self.samples["memory"]})
        yield WORKTREE.figure(self._sides("worktree", "seconds"))
        yield BYTES.figure(self._sides("worktree bytes", "bytes"))

    def _sides(self, ours: str, beside: str) -> Samples:
        return {"ours": self.samples[ours], "bare": self.samples[beside]}


async def measure(effort: Effort) -> AsyncIterator[Figure]:
    """A repository of real files."""
    count = QUICK_FILES if effort.quick else FILES
    with scratch_home() as home:
        root = home / "repository"
        root.mkdir()
        effort.tell(f"index: {count:,} files from the registries")
        corpus.lay_out(count, root)
        async with scratch_app() as app:
            rounds = Rounds(app=app, root=root)
            for number in range(effort.rounds(3, 1)):
                effort.tell(f"index: {count:,} files, round {number + 1}")
                await rounds.go(f"index{number}")
            for figure in rounds.figures(count):
                yield figure
            async for figure in _changes(app, root, effort):
                yield figure


async def _changes(app: App, root: Path, effort: Effort) -> AsyncIterator[Figure]:
    """Nothing and one file, in a repository that is indexed."""
    effort.tell("index: nothing and one file changed")
    async with bare_connection(app, "project_index0") as connection:
        trial = Trial(database=(await app.open("index0")).database, connection=connection)
        await trial.index(root)

        async def status() -> None:
            corpus.git(root, "status", "--porcelain")

        sides = {"ours": timed(trial.refresh), "bare": timed(status)}
        yield NOTHING.figure(await interleave(sides, rounds=effort.rounds(15, 5)))
        changed = _changed(trial, root)
        sides = {"ours": changed, "bare": timed(status)}
        yield ONE.figure(await interleave(sides, rounds=effort.rounds(15, 5)))


def _changed(trial: Trial, root: Path) -> Sampler:
    """Milliseconds until the index knows of a line that one file has more than before."""
    paths = iter(corpus.listed(root))

    async def sample() -> list[float]:
        path = next(root / path for path in paths if path.endswith((".py", ".php", ".java")))
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n// {time.time_ns()}\n")
        began = time.perf_counter()
        await trial.refresh()
        milliseconds = (time.perf_counter() - began) * 1000
        await trial.indexer.settled()
        return [milliseconds]

    return sample
