"""Migrations as files: lines, pairs, checksums, and where they lie."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from undercroft.db.migrate.current import checksum, read
from undercroft.db.migrate.headers import Header, parse_header
from undercroft.db.migrate.statements import Statement, split
from undercroft.errors import InvalidInput, NotFound
from undercroft.resources import resources

_FILE = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.(?P<direction>up|down)\.sql$")
_DIGEST_LENGTH = 12


@dataclass(frozen=True, kw_only=True)
class Script:
    """One SQL file."""

    name: str
    text: str
    header: Header

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """Its statements; split on first use.

        Raises:
            InvalidInput: See `statements.split`.

        """
        return split(self.text, self.name)


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One step of a line: the way up and the way down."""

    version: int
    name: str
    up: Script
    down: Script

    @property
    def label(self) -> str:
        """Its name with the number, for people."""
        return f"{self.version:04}_{self.name}"

    @property
    def checksum(self) -> str:
        """SHA-256 of the up file, its line ends made equal."""
        return checksum(self.up.text)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A named, gapless sequence of migrations, version 1 first."""

    name: str
    migrations: tuple[Migration, ...]

    @property
    def latest(self) -> int:
        """The highest version, 0 for an empty line."""
        return len(self.migrations)

    def at(self, version: int) -> Migration:
        """The migration with that version, which must exist."""
        return self.migrations[version - 1]


def migrations_root() -> Path:
    """The folder of all lines."""
    return resources("migrations")


def load_line(name: str, root: Path | None = None) -> Line:
    """Read and check a line.

    Raises:
        NotFound: There is no such line.
        InvalidInput: Gaps, duplicates, a missing half, an odd name or header; each by file name.

    """
    folder = (root or migrations_root()) / name
    if not folder.is_dir():
        raise NotFound(f"There is no line of migrations called {name!r}.")
    pairs = _pairs(sorted(folder.glob("*.sql")))
    line = Line(name=name, migrations=tuple(_migration(pair) for pair in pairs))
    _check_requirements(line)
    return line


def digest(line: Line) -> str:
    """A short hash over all files of the line; two lines that differ in a byte differ in it."""
    total = hashlib.sha256()
    for script in (half for step in line.migrations for half in (step.up, step.down)):
        total.update(f"{script.name}\0{len(script.text)}\0{script.text}".encode())
    return total.hexdigest()[:_DIGEST_LENGTH]


def _pairs(paths: Iterable[Path]) -> list[dict[str, Path]]:
    found: dict[int, dict[str, Path]] = {}
    for path in paths:
        match = _FILE.match(path.name)
        if not match:
            raise InvalidInput(
                f"{path.name} is no name for a migration.",
                hint="Call it NNNN_name.up.sql and NNNN_name.down.sql, or use `migrate new`.",
            )
        halves = found.setdefault(int(match["version"]), {})
        if match["direction"] in halves:
            raise InvalidInput(
                f"Two migrations have the number {match['version']}: "
                f"{halves[match['direction']].name} and {path.name}.",
                hint="Give the one that is not released yet the next free number.",
            )
        halves[match["direction"]] = path
    return [_whole(number, version, found) for number, version in enumerate(sorted(found), 1)]


def _whole(number: int, version: int, found: dict[int, dict[str, Path]]) -> dict[str, Path]:
    if number != version:
        raise InvalidInput(f"Migration {number:04} is missing: {version:04} stands in its place.")
    halves = found[version]
    if len(halves) == 1:
        (direction, path), *_ = halves.items()
        other = "down" if direction == "up" else "up"
        raise InvalidInput(
            f"{path.name} has no {other} file.",
            hint=f"Add {path.name.replace(f'.{direction}.', f'.{other}.')}; where there is no way "
            "back, a down file with `-- irreversible: reason`.",
        )
    names = {path.name.removesuffix(f".{direction}.sql") for direction, path in halves.items()}
    if len(names) > 1:
        raise InvalidInput(f"Migration {version:04} has two names: {', '.join(sorted(names))}.")
    return halves


def _migration(halves: dict[str, Path]) -> Migration:
    match = _FILE.match(halves["up"].name)
    version, name = (match["version"], match["name"]) if match else ("0", "")
    scripts = {way: _script(path, way) for way, path in halves.items()}
    return Migration(version=int(version), name=name, up=scripts["up"], down=scripts["down"])


def _script(path: Path, direction: str) -> Script:
    text = read(path)
    return Script(name=path.name, text=text, header=parse_header(text, path.name, direction))


def _check_requirements(line: Line) -> None:
    for step in line.migrations:
        for need in step.up.header.requires:
            if need.line in {"", line.name} and not 0 < need.version < step.version:
                raise InvalidInput(
                    f"{step.up.name} requires {need.version:04}, which does not come before it."
                )
