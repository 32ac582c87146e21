"""A text that two agents agree on, step by step; or a dispute, which a third settles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from undercroft.db.queries import load_queries
from undercroft.errors import Conflict, InvalidInput, NotFound, UndercroftError
from undercroft.work.fields import holder_of, item_id, optional_id
from undercroft.work.fitting import fitted
from undercroft.work.models import Review, Row, Settings
from undercroft.work.store import steadily, why_not

if TYPE_CHECKING:
    from undercroft.db.database import Database

SQL = load_queries(__package__, "reviews.sql")

ACTIONS = ("propose", "request_changes", "revise", "approve", "dispute")
WANT_CONTENT = ("propose", "request_changes", "revise")
CAN_DISPUTE = ("request_changes", "dispute")
CHOICES = ("server", "client", "hybrid", "own")
MAX_CONTENT = 10_000
"""Characters of a text: both sides' fit into one answer."""
MAX_REASONING = 2_000
MAX_COMPLEXITY = 10.0
LISTED = 50


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
    """The next step of a review; `propose` begins one, again where the last was settled.

    `complexity`: 0 to 10, what this side thinks of it. `resolver`: who alone may settle the dispute
    that this step opens.

    Raises:
        InvalidInput: There is no such step, or it lacks its text.
        Conflict: It is another's turn.
        NotFound: Nothing was proposed, or the item is deleted.

    """
    known = item_id(item)
    content = content if content.strip() else ""
    _check_step(action, content, resolver)
    check(content, reasoning, complexity)
    by = holder_of(agent, db.actor)
    score = None if complexity is None else complexity + 0.0
    given = (by, content, reasoning, score)
    if action == "propose":
        row = await steadily(db, SQL.propose, known, *given, db.actor)
    else:
        named = holder_of(resolver, "")
        row = await steadily(db, SQL.advance, known, action, *given, db.actor, named)
    if row is None:
        raise await _why_not(db, known, action, agent, content, resolver)
    return _told(row)


def _check_step(action: str, content: str, resolver: str) -> None:
    if action not in ACTIONS:
        raise InvalidInput(
            f"There is no action {action[:64]!r}.", hint=f"Actions: {', '.join(ACTIONS)}."
        )
    if action in WANT_CONTENT and not content:
        raise InvalidInput(f"{action} wants content: the whole text as it should be.")
    if resolver and action not in CAN_DISPUTE:
        raise InvalidInput("resolver is for a dispute: who alone may settle it.")


def check(content: str, reasoning: str, complexity: float | None) -> None:
    """Refuse what the tables cannot hold."""
    if len(content) > MAX_CONTENT:
        raise InvalidInput(
            f"content has at most {MAX_CONTENT} characters, so that it is always shown whole.",
            hint="Review a longer text in parts: one item each.",
        )
    if len(reasoning) > MAX_REASONING:
        raise InvalidInput(f"reasoning has at most {MAX_REASONING} characters.")
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
        NotFound: Nothing was proposed, or the item is deleted.

    """
    known = item_id(item)
    if choice not in CHOICES:
        raise InvalidInput(
            f"There is no choice {choice[:64]!r}.", hint=f"Choices: {', '.join(CHOICES)}."
        )
    if (choice in ("hybrid", "own")) != bool(content.strip()):
        raise InvalidInput("content is for hybrid and own: the text that shall hold.")
    check(content, reasoning, None)
    by = holder_of(agent, db.actor)
    row = await steadily(db, SQL.resolve, known, choice, content, by, reasoning, db.actor)
    if row is None:
        raise await _why_not(db, known, "resolve", agent)
    return _told(row)


def _told(row: Row) -> Review:
    review = Review(
        id=row["item_id"],
        state=row["state"],
        iterations=row["iteration_count"],
        max_iterations=row["max_iterations"],
        turn=_turn(row),
        final_content=row["final_content"],
        dispute=row["dispute"],
        promoted=row["promoted"] or None,
    )
    return fitted(review)


def _turn(row: Row) -> str:
    """Who may do what next."""
    server, client = row["server_agent"], row["client_agent"]
    third = row["resolver"] or f"anyone but {server} and {client}"
    return {
        "proposed": f"{client or f'anyone but {server}'}: approve, request_changes or dispute",
        "changes_requested": f"{server}: revise, approve (takes {client}'s text) or dispute; "
        f"{client}: dispute",
        "disputed": f"{third}: resolve_dispute",
        "agreed": "nobody: it is agreed; propose begins anew",
        "resolved": "nobody: it is settled; propose begins anew",
    }[row["state"]]


async def _why_not(  # noqa: PLR0913, PLR0917 - who wanted what
    db: Database, item: str, action: str, agent: str, content: str = "", resolver: str = ""
) -> UndercroftError:
    row = await db.fetch_row(SQL.get_review, item)
    if row is None or (row["state"] is None and action == "propose"):
        return await why_not(db, item)
    if row["state"] is None:
        return NotFound(
            f"Nothing has been proposed for {item}.", hint="review_step with action propose begins."
        )
    by = agent or db.actor
    if _has_turn(row, by, action):
        misfit = _misfit(row, action, by, content, resolver)
        if misfit is not None:
            return misfit
    unnamed = "" if agent else f" You gave no name as `agent`, so you are {by}."
    return Conflict(
        f"{by} cannot {action.replace('_', ' ')} now: it is {row['state']}.",
        hint=f"Next: {_turn(row)}.{unnamed}",
        data={
            "state": row["state"],
            "server": row["server_agent"],
            "client": row["client_agent"],
            "resolver": row["resolver"],
        },
    )


def _has_turn(row: Row, by: str, action: str) -> bool:
    server, client = row["server_agent"], row["client_agent"]
    if row["state"] == "proposed":
        return bool(by != server and by == (client or by))
    asked = row["state"] == "changes_requested"
    return bool(asked and (by == server or (by == client and action == "dispute")))


def _misfit(row: Row, action: str, by: str, content: str, resolver: str) -> InvalidInput | None:
    """What is wrong with a step of one whose turn it is."""
    parties = (row["server_agent"], row["client_agent"] or by)
    if resolver in parties:
        return InvalidInput(
            f"{resolver} is a party of the review, so the resolver must be another.",
            hint=f"The parties are {' and '.join(parties)}; without resolver any third settles it.",
        )
    if action == "dispute" and not content:
        return InvalidInput("dispute wants content: your text, to be held against the other's.")
    if action == "approve" and content:
        return InvalidInput(
            "approve takes the other's text as it is, without content.",
            hint="request_changes, or revise, gives a text of your own.",
        )
    return None


async def disputes(db: Database, status: str = "open", item: str = "") -> list[dict[str, Any]]:
    """Disputes with both sides; an open one of one `item` fits whole."""
    if status not in ("", "open", "resolved"):
        raise InvalidInput("status is open, resolved or empty.")
    rows = await db.fetch(SQL.list_disputes, status, LISTED, optional_id(item))
    return fitted([dict(row) for row in rows])


async def settings(db: Database, threshold: float | None, iterations: int | None) -> Settings:
    """What the project has set, after setting what is given."""
    if threshold is None and iterations is None:
        return Settings(**dict(await db.fetch_row(SQL.get_settings) or {}))
    row = await db.fetch_row(SQL.set_settings, threshold, iterations)
    return Settings(**dict(row or {}))
