"""What the migrator tells: outcomes and states, as values and as JSON."""

from dataclasses import asdict, dataclass
from typing import Any

from undercroft.db.migrate.files import Line
from undercroft.db.migrate.ledger import LineState, describe, find_drift


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one run did to one database, or would do."""

    database: str
    line: str
    direction: str
    before: int
    """Version at the start."""
    versions: tuple[int, ...]
    """The migrations that this run applied or took back, in order."""
    steps: tuple[str, ...]
    """The same by name."""
    dry_run: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The outcome as JSON values."""
        return asdict(self) | {"versions": list(self.versions), "steps": list(self.steps)}


@dataclass(frozen=True, kw_only=True)
class Status:
    """Where one database stands on one line."""

    database: str
    line: str
    version: int
    latest: int
    pending: tuple[str, ...]
    applied: tuple[dict[str, Any], ...]
    unfinished: str = ""
    drift: tuple[str, ...] = ()
    """Contradictions between ledger and files, a sentence each."""

    @classmethod
    def of(cls, database: str, line: Line, state: LineState) -> "Status":
        """The status behind a ledger."""
        unknown = tuple(
            f"{e.label} is unknown to this Undercroft"
            for e in state.entries
            if e.version > line.latest
        )
        finished = {e.version for e in state.entries if e is not state.unfinished}
        return cls(
            database=database,
            line=line.name,
            version=state.version,
            latest=line.latest,
            pending=tuple(m.label for m in line.migrations if m.version not in finished),
            applied=tuple(describe(entry) for entry in state.entries),
            unfinished=state.unfinished.label if state.unfinished else "",
            drift=(*find_drift(line, state), *unknown),
        )

    @property
    def state(self) -> str:
        """One word: current, pending, unfinished or drift."""
        if self.drift:
            return "drift"
        if self.unfinished:
            return "unfinished"
        return "pending" if self.pending else "current"

    def as_dict(self) -> dict[str, Any]:
        """The status as JSON values."""
        lists = {"pending": list(self.pending), "applied": list(self.applied)}
        return asdict(self) | lists | {"drift": list(self.drift), "state": self.state}
