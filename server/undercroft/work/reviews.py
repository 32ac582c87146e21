"""A text that two agents agree on, step by step; or a dispute, which a third settles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from undercroft.db.queries import load_queries
from undercroft.errors import Conflict, InvalidInput, NotFound
from undercroft.work.fields import holder_of, item_id
from undercroft.work.fitting import fitted
from undercroft.work.models import Review, Settings
from undercroft.work.store import steadily, why_not

if TYPE_CHECKING:
    from undercroft.db.database import Database

SQL = load_queries(__package__, "reviews.sql")

ACTIONS = ("propose", "request_changes", "revise", "approve", "dispute")
WANT_CONTENT = ("propose", "request_changes", "revise")
CHOICES = ("server", "client", "hybrid", "own")
MAX_CONTENT = 100_000
MAX_COMPLEXITY = 10.0
LISTED = 50

TURNS = {
    "proposed": "another agent: approve, request_changes or dispute",
    "changes_requested": "{server}: revise, approve (takes the reviewer's text) or dispute",
    "disputed": "a third, or the named resolver: resolve_dispute",
    "agreed": "nobody: it is agreed",
    "resolved": "nobody: it is settled",
}


async def step(  # noqa: PLR0913 - who does what, and why
    db: Database,
    item: str,
    action: str,
    *,
    agent: str = "",
    content: str = "",
    reasoning: str = "",
    complexity: float | None = None,
    resolver: str = "",
) -> Review:
    """The next step of a review.

    `complexity`: 0 to 10, what this side thinks of it. `resolver`: who alone may settle a dispute.

    Raises:
        InvalidInput: There is no such step, or it lacks its text.
        Conflict: It is another's turn.

    """
    known = item_id(item)
    if action not in ACTIONS:
        raise InvalidInput(
            f"There is no action {action[:64]!r}.", hint=f"Actions: {', '.join(ACTIONS)}."
        )
    if action in WANT_CONTENT and not content:
        raise InvalidInput(f"{action} wants content: the whole text as it should be.")
    check(content, reasoning, complexity)
    by = holder_of(agent, db.actor)
    given = (by, content, reasoning, complexity)
    if action == "propose":
        row = await steadily(db, SQL.propose, known, *given, db.actor)
    else:
        row = await steadily(db, SQL.advance, known, action, *given, db.actor, resolver)
    if row is None:
        raise await _why_not(db, known, action, by)
    return await _told(db, row)


def check(content: str, reasoning: str, complexity: float | None) -> None:
    """Refuse what the tables cannot hold."""
    if max(len(content), len(reasoning)) > MAX_CONTENT:
        raise InvalidInput(f"A text has at most {MAX_CONTENT} characters.")
    if complexity is not None and not 0 <= complexity <= MAX_COMPLEXITY:
        raise InvalidInput("complexity is 0 to 10.")


async def resolve(  # noqa: PLR0913 - who decides what, and why
    db: Database,
    item: str,
    choice: str,
    *,
    content: str = "",
    agent: str = "",
    reasoning: str = "",
) -> Review:
    """Settle a dispute: one side's text, or another.

    Raises:
        InvalidInput: No such choice, or its text is missing.
        Conflict: There is no open dispute, or it is not the caller's to settle.

    """
    known = item_id(item)
    if choice not in CHOICES:
        raise InvalidInput(
            f"There is no choice {choice[:64]!r}.", hint=f"Choices: {', '.join(CHOICES)}."
        )
    if (choice in ("hybrid", "own")) != bool(content):
        raise InvalidInput("content is for hybrid and own: the text that shall hold.")
    check(content, reasoning, None)
    by = holder_of(agent, db.actor)
    row = await steadily(db, SQL.resolve, known, choice, content, by, reasoning, db.actor)
    if row is None:
        raise await _why_not(db, known, "resolve", by)
    return await _told(db, row)


async def _told(db: Database, row: Any) -> Review:
    parties = await db.fetch_row(SQL.get_review, row["item_id"])
    server = parties["server_agent"] if parties else ""
    review = Review(
        id=row["item_id"],
        state=row["state"],
        iterations=row["iteration_count"],
        max_iterations=row["max_iterations"],
        turn=TURNS[row["state"]].format(server=server),
        final_content=row["final_content"],
        dispute=row["dispute"],
        promoted=row["promoted"] or None,
    )
    return fitted(review)


async def _why_not(db: Database, item: str, action: str, agent: str) -> Exception:
    row = await db.fetch_row(SQL.get_review, item)
    if row is None:
        if action == "propose":
            return await why_not(db, item)
        return NotFound(
            f"Nothing has been proposed for {item}.", hint="review_step with action propose begins."
        )
    turn = TURNS[row["state"]].format(server=row["server_agent"])
    return Conflict(
        f"{agent} cannot {action.replace('_', ' ')} now: it is {row['state']}.",
        hint=f"Next: {turn}. Give your name as `agent` if you are not {agent}.",
        data={"state": row["state"], "server": row["server_agent"], "client": row["client_agent"]},
    )


async def disputes(db: Database, status: str = "open") -> list[dict[str, Any]]:
    """Disputes with both sides."""
    if status not in ("", "open", "resolved"):
        raise InvalidInput("status is open, resolved or empty.")
    return fitted([dict(row) for row in await db.fetch(SQL.list_disputes, status, LISTED)])


async def settings(db: Database, threshold: float | None, iterations: int | None) -> Settings:
    """What the project has set, after setting what is given."""
    if threshold is None and iterations is None:
        return Settings(**dict(await db.fetch_row(SQL.get_settings) or {}))
    row = await db.fetch_row(SQL.set_settings, threshold, iterations)
    return Settings(**dict(row or {}))
