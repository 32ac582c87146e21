"""All databases of one server: the registry first, then every project, beside each other.

One broken project never stops the others, and a run that was killed is simply run again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog

from undercroft.db.migrate.failure import MigrationFailed, as_error
from undercroft.db.migrate.files import Line, load_line
from undercroft.db.migrate.patience import Connect, Patience
from undercroft.db.migrate.report import Outcome, Status
from undercroft.db.migrate.runner import Migrator
from undercroft.db.migrate.verify import Verification, expected_snapshot, verify
from undercroft.db.sqlstate import DRIVER_ERRORS
from undercroft.errors import Conflict, NotFound, UndercroftError
from undercroft.progress import Progress, silent

REGISTRY_LINE = "registry"
PROJECT_LINE = "project"

T = TypeVar("T")
log = structlog.get_logger("undercroft.migrate")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A database to migrate."""

    name: str
    """The project's name, or `registry`."""
    database: str
    line: str = PROJECT_LINE


@dataclass(frozen=True, kw_only=True)
class Answer(Generic[T]):
    """What came of one database: a result or an error."""

    target: Target
    result: T | None = None
    error: UndercroftError | None = None

    def as_dict(self) -> dict[str, Any]:
        """The answer as JSON values."""
        body: dict[str, Any] = {"name": self.target.name, "database": self.target.database}
        if self.error is not None:
            place = self.error.explain() if isinstance(self.error, MigrationFailed) else ""
            reason = {"explanation": place} if place else {}
            return body | {"line": self.target.line, "error": self.error.as_dict() | reason}
        as_dict: Callable[[], dict[str, Any]] = getattr(self.result, "as_dict", dict)
        return body | as_dict()


async def for_all(
    targets: Sequence[Target],
    work: Callable[[Target], Awaitable[T]],
    *,
    concurrency: int,
    progress: Progress = silent,
) -> list[Answer[T]]:
    """Do the work on every database, `concurrency` at a time; answers in the order of targets."""
    turns = asyncio.Semaphore(concurrency)
    finished = 0

    async def one(target: Target) -> Answer[T]:
        nonlocal finished
        async with turns:
            answer = await _answer(target, work)
        finished += 1
        await progress(finished, len(targets), target.name)
        return answer

    return list(await asyncio.gather(*(one(target) for target in targets)))


async def _answer(target: Target, work: Callable[[Target], Awaitable[T]]) -> Answer[T]:
    try:
        return Answer(target=target, result=await work(target))
    except UndercroftError as error:
        return Answer(target=target, error=error)
    except DRIVER_ERRORS as error:
        log.warning("migration_driver_error", database=target.database, kind=type(error).__name__)
        return Answer(target=target, error=as_error(error, target.database))


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """The registry and all projects of one server, and how to reach them."""

    connect: Connect
    registry_database: str
    list_projects: Callable[[], Awaitable[Sequence[tuple[str, str]]]]
    """(name, database) of every project whose database exists."""
    make_registry: Callable[[], Awaitable[None]] | None = None
    """Makes the registry's database where the server is new."""
    owner_role: str = ""
    app_role: str = ""
    environment: str = "production"
    concurrency: int = 4
    """Databases at once; each takes two connections."""
    patience: Patience = field(default_factory=Patience)
    lines: Callable[[str], Line] = load_line

    def migrator(self, line: str) -> Migrator:
        """The migrator of `registry` or `project`; reads the files anew."""
        return Migrator(
            self.connect,
            self.lines(line),
            owner_role=self.owner_role,
            app_role=self.app_role,
            environment=self.environment,
            patience=self.patience,
            applied_elsewhere=self._applied_elsewhere,
        )

    async def targets(self, line: str = "", project: str = "") -> list[Target]:
        """The databases that a choice of line and project means, the registry first.

        Raises:
            NotFound: There is no such project.

        """
        registry = Target(name="registry", database=self.registry_database, line=REGISTRY_LINE)
        if line == REGISTRY_LINE:
            return [registry]
        projects = [Target(name=n, database=d) for n, d in await self.list_projects()]
        if project:
            chosen = [target for target in projects if target.name == project]
            if not chosen:
                raise NotFound(f"There is no project {project!r}.")
            return chosen
        return projects if line == PROJECT_LINE else [registry, *projects]

    async def up(
        self,
        targets: Sequence[Target],
        *,
        to: int | None = None,
        dry_run: bool = False,
        progress: Progress = silent,
    ) -> list[Answer[Outcome]]:
        """Apply what is missing; the registry before any project, for projects may require it."""
        migrators = self._migrators(targets)

        async def work(target: Target) -> Outcome:
            return await migrators[target.line].up(target.database, to=to, dry_run=dry_run)

        first = [target for target in targets if target.line == REGISTRY_LINE]
        rest = [target for target in targets if target.line != REGISTRY_LINE]
        answers = await self._each(first, work)
        return answers + await self._each(rest, work, progress)

    async def down(
        self,
        targets: Sequence[Target],
        *,
        to: int | None = None,
        dry_run: bool = False,
        force: bool = False,
        progress: Progress = silent,
    ) -> list[Answer[Outcome]]:
        """Take back; a registry migration that a project requires stays."""
        migrators = self._migrators(targets)

        async def work(target: Target) -> Outcome:
            migrator = migrators[target.line]
            if target.line == REGISTRY_LINE:
                plan = await migrator.down(target.database, to=to, dry_run=True)
                await self._refuse_if_required(plan.versions)
            return await migrator.down(target.database, to=to, dry_run=dry_run, force=force)

        return await self._each(targets, work, progress)

    async def status(
        self, targets: Sequence[Target], *, progress: Progress = silent
    ) -> list[Answer[Status]]:
        """Where every database stands."""
        migrators = self._migrators(targets)
        return await self._each(
            targets, lambda target: migrators[target.line].status(target.database), progress
        )

    async def verify(
        self, targets: Sequence[Target], *, progress: Progress = silent
    ) -> list[Answer[Verification]]:
        """Compare every database with the files; one scratch database per line.

        Raises:
            Forbidden: The login may not create a scratch database.

        """
        migrators = self._migrators(targets)
        expected = {
            name: await expected_snapshot(migrator, self.registry_database)
            for name, migrator in migrators.items()
        }

        async def work(target: Target) -> Verification:
            return await verify(migrators[target.line], target.database, expected[target.line])

        return await self._each(targets, work, progress)

    async def _each(
        self,
        targets: Sequence[Target],
        work: Callable[[Target], Awaitable[T]],
        progress: Progress = silent,
    ) -> list[Answer[T]]:
        return await for_all(targets, work, concurrency=self.concurrency, progress=progress)

    def _migrators(self, targets: Sequence[Target]) -> dict[str, Migrator]:
        return {line: self.migrator(line) for line in dict.fromkeys(t.line for t in targets)}

    async def _applied_elsewhere(self, line: str) -> Collection[int]:
        if line != REGISTRY_LINE:
            return ()
        status = await self.migrator(line).look(self.registry_database)
        return {entry.version for entry in status.entries if entry.state == "applied"}

    async def _refuse_if_required(self, versions: Collection[int]) -> None:
        migrator = self.migrator(PROJECT_LINE)
        needing = {
            step.version: step.label
            for step in migrator.line.migrations
            for need in step.up.header.requires
            if need.line == REGISTRY_LINE and need.version in versions
        }
        for target in await self.targets(PROJECT_LINE) if needing else ():
            state = await migrator.look(target.database)
            held = [e.version for e in state.entries if e.version in needing]
            if held:
                raise Conflict(
                    f"The project {target.name} has {needing[held[0]]}, which requires it.",
                    hint="Take the projects back first: "
                    f"`undercroft migrate down --line project --all --to {held[0] - 1}`.",
                )


async def migrate_all(fleet: Fleet, *, progress: Progress = silent) -> list[Answer[Outcome]]:
    """Bring the registry and every project to the code's version."""
    return await fleet.up(await fleet.targets(), progress=progress)
