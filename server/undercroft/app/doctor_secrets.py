"""What doctor finds about secrets: the keys that protect them, and the log of accesses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from undercroft.app.finding import Finding
from undercroft.errors import UndercroftError
from undercroft.secrets.ring import KeyRing
from undercroft.secrets.service import Secrets
from undercroft.secrets.wrapping import wrappers

if TYPE_CHECKING:
    from undercroft.db.database import Database


async def examine_keys(ring: KeyRing) -> AsyncIterator[Finding]:
    """Whether the provider has each key that the registry names."""
    facts = await ring.facts()
    if not facts:
        yield Finding(
            what="key of secrets",
            verdict="ok",
            says=f"none yet; the provider {await ring.chosen()} will keep the first",
        )
    for fact in facts:
        what = f"key of secrets {fact['id'][:8]}"
        state = "older, unwraps only" if fact["retired_at"] else "in use"
        try:
            await ring.find(fact["id"])
        except UndercroftError as error:
            yield Finding(
                what=what,
                verdict="warning" if fact["retired_at"] else "wrong",
                says=error.message,
                mend=error.hint,
            )
        else:
            yield Finding(what=what, verdict="ok", says=f"{state}, by {fact['provider']}")


async def examine_wrapping(
    database: Database, ring: KeyRing, project: str
) -> AsyncIterator[Finding]:
    """Which older keys a project's data keys still name; nothing where it is none."""
    try:
        older = set(await wrappers(database)) - {await ring.current_id()}
    except UndercroftError:
        # The log of the same project tells why.
        return
    if older:
        yield Finding(
            what=f"keys of secrets of {project}",
            verdict="warning",
            says=f"wrapped by {', '.join(sorted(key[:8] for key in older))}, not by the one in use",
            mend="`undercroft secret rotate-key --master` wraps them anew; keep those until then.",
        )


async def examine_log(database: Database, ring: KeyRing, project: str) -> AsyncIterator[Finding]:
    """Whether a project's log of accesses is as it was written; nothing where it is empty."""
    what = f"log of secrets of {project}"
    try:
        verdict = await Secrets(database, ring).verify_log()
    except UndercroftError as error:
        yield Finding(what=what, verdict="wrong", says=error.message, mend=error.hint)
        return
    if not verdict.intact:
        yield Finding(
            what=what,
            verdict="wrong",
            says=f"it is not as it was written, from row {verdict.broken} on",
            mend="Somebody with rights in PostgreSQL has changed it: compare a backup.",
        )
    elif verdict.entries:
        yield Finding(what=what, verdict="ok", says=f"{verdict.entries} rows, as they were written")
