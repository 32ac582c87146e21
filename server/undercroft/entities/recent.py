"""Records read or written lately, so that an update need not read before it writes.

Only a shortcut: the UPDATE names version and time of what it was computed from, so an
entry that turns out wrong (a rolled-back write, a restored backup) costs one more turn.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

MAX_RECORDS = 2_000
MAX_TEXT = 16 * 1024
"""Characters of a body worth keeping: at most 32 million in all."""


class Recent(NamedTuple):
    """A record in one version; a tuple, since every read makes one."""

    type: str
    version: int
    updated_at: datetime
    text: str
    """Its data as JSON text."""


@dataclass(kw_only=True)
class RecentRecords:
    """Those that were changed or first read the longest ago make room for new ones."""

    _records: OrderedDict[UUID, Recent] = field(default_factory=OrderedDict)

    def get(self, entity: UUID) -> Recent | None:
        """What is known of a record."""
        return self._records.get(entity)

    def keep(self, entity: UUID, recent: Recent) -> None:
        """Remember a version, unless the same or a newer one is known."""
        known = self._records.get(entity)
        if known and (known.version, known.updated_at) >= (recent.version, recent.updated_at):
            return
        if len(recent.text) > MAX_TEXT:
            return
        self._records[entity] = recent
        self._records.move_to_end(entity)
        if len(self._records) > MAX_RECORDS:
            self._records.popitem(last=False)

    def forget(self, entity: UUID) -> None:
        """Read the record before its next change."""
        self._records.pop(entity, None)
