"""One translation in: from what the driver raises to the error tree.

The decision rests on SQLSTATE and constraint name, never on message text, and
nothing of PostgreSQL's own words is passed on: its detail holds whole rows.
"""

import asyncio
from collections.abc import Mapping

import asyncpg

from undercroft.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    LimitReached,
    NotFound,
    OutcomeUnknown,
    Unavailable,
    UndercroftError,
)

DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    asyncio.TimeoutError,
)
"""Everything a driver call may raise for reasons outside our code."""

Kind = type[UndercroftError]

CONSTRAINTS: Mapping[str, tuple[Kind, str, str]] = {
    "projects_name_key": (Conflict, "A project of that name exists already.", ""),
    "projects_database_name_key": (Conflict, "A project with that database exists already.", ""),
    "pg_database_datname_index": (
        Unavailable,
        "Another process is making the same database.",
        "",
    ),
    "valid_name": (
        InvalidInput,
        "A project's name has 1 to 48 characters out of a-z, 0-9 and _.",
        "For example my_app_2.",
    ),
    "port_ranges_overlap": (
        Conflict,
        "The range overlaps with another.",
        "list_port_ranges shows them.",
    ),
    "port_allocations_project_fkey": (NotFound, "There is no such project.", "list_projects"),
    "port_reservations_project_fkey": (NotFound, "There is no such project.", "list_projects"),
    "work_siblings_order": (Unavailable, "Another took the same place among the siblings.", ""),
    "valid_moment": (InvalidInput, "A time lies outside of the years 1 to 9999.", ""),
    "work_items_pkey": (Unavailable, "Another item was made with the same id.", ""),
    "work_external_ref_key": (
        Conflict,
        "An item with that external_ref exists already.",
        "query_work with it as text finds the item.",
    ),
    "valid_port_host": (
        InvalidInput,
        "A machine's identity has 1 to 128 characters out of a-z, A-Z, 0-9, _, ., : and -.",
        "UNDERCROFT_MACHINE sets it.",
    ),
}
"""Constraint name → error, message, hint; a room adds its own here."""

_STATES: Mapping[str, tuple[Kind, str, str]] = {
    "UC101": (
        LimitReached,
        "The range has not as many free ports.",
        "reclaim_ports takes back what nobody needs; list_port_ranges shows other ranges.",
    ),
    "UC102": (NotFound, "There is no such range of ports.", "list_port_ranges shows them."),
    "UC201": (
        Forbidden,
        "The log of accesses to secrets is damaged, so no secret is given out.",
        "`undercroft secret log --verify` tells where; restore it from a backup.",
    ),
    "UC301": (NotFound, "The parent or the linked item does not exist.", "query_work finds items."),
    "UC302": (
        Conflict,
        "The parent is closed, so nothing beneath it can be open.",
        "update_work it to pending first, or name another parent.",
    ),
    "UC303": (
        Conflict,
        "The kind does not allow that change of status.",
        "get_work shows next_statuses.",
    ),
    "UC304": (
        Conflict,
        "Something beneath it is still open.",
        "get_plan with its id shows what; finish, move or delete that first.",
    ),
    "UC305": (
        Conflict,
        "It would wait for itself.",
        "get_work of both items, and of what blocks them, shows the circle.",
    ),
    "UC306": (
        InvalidInput,
        "There is no such kind of work, or the kind has no such status.",
        "list_work_kinds shows them; epic, issue, task and step begin as pending.",
    ),
    "UC307": (
        Conflict,
        "Somebody holds it, or an item beneath it.",
        "Wait until it is finished; list_claims shows who.",
    ),
    "UC308": (Conflict, "The review is in another state.", "get_work shows it."),
    "UC309": (
        Conflict,
        "It waits for other work, which is not done.",
        "blocked_work shows what for; finish that first, end the link, or finish it as cancelled.",
    ),
    "UC310": (
        Conflict,
        "The time of the claim is over.",
        "claim_work takes the item again if it is free.",
    ),
    "UC401": (
        Conflict,
        "The claim keeps this clock; finish_work or release_claim stops it.",
        "Your estimate of it is its field `estimate`: update_work with the epoch.",
    ),
    "UC402": (
        Conflict,
        "The item is closed or deleted, so no clock runs for it.",
        "update_work it to pending, or restore_work it.",
    ),
    "UC403": (NotFound, "There is no such work item.", "query_work finds items."),
    "22021": (InvalidInput, "A text holds a character that PostgreSQL cannot store.", ""),
    "22P05": (InvalidInput, "A text holds a character that PostgreSQL cannot store.", ""),
    "22P02": (InvalidInput, "A value does not have the form of its type.", ""),
    "22003": (InvalidInput, "A number is out of range.", ""),
    "22001": (InvalidInput, "A text is too long.", ""),
    "23502": (InvalidInput, "A required value is missing.", ""),
    "23503": (Conflict, "Something else refers to this, or what it refers to is gone.", ""),
    "23505": (Conflict, "An equal one exists already.", ""),
    "23514": (InvalidInput, "A value is outside what is allowed.", ""),
    "23P01": (Conflict, "It overlaps with one that exists.", ""),
    "25006": (Forbidden, "The database accepts no changes at the moment.", ""),
    "3D000": (NotFound, "The project's database does not exist.", "Run `undercroft doctor`."),
    "40001": (Unavailable, "Another change at the same moment got in the way.", ""),
    "40P01": (Unavailable, "Another change at the same moment got in the way.", ""),
    "42710": (Unavailable, "Another process is making the same.", ""),
    "42P04": (Unavailable, "Another process is making the same database.", ""),
    "42501": (Forbidden, "The server's role lacks a right in PostgreSQL.", "`undercroft doctor`"),
    "53100": (LimitReached, "The disk of the database is full.", "Free some space."),
    "53200": (LimitReached, "The database is out of memory.", ""),
    "53300": (Unavailable, "PostgreSQL has no free connection.", ""),
    "54000": (LimitReached, "The request is larger than PostgreSQL allows.", ""),
    "55000": (Unavailable, "The database accepts no connections at the moment.", ""),
    "55006": (Unavailable, "The database is in use by another session.", ""),
    "55P03": (Unavailable, "Another session holds a lock on it.", ""),
    "57014": (LimitReached, "The statement took too long and was stopped.", "Ask for less."),
    "57P03": (Unavailable, "PostgreSQL is starting up.", ""),
    "57P04": (NotFound, "The database was dropped.", "See list_projects."),
}

_CONNECTION_LOST = ("08", "57P01", "57P02", "57P05")


def sqlstate(error: BaseException) -> str:
    """The five characters of a PostgreSQL error, or an empty text."""
    return getattr(error, "sqlstate", None) or ""


def connection_lost(error: BaseException) -> bool:
    """Whether the connection is gone, so that an answer may have been lost."""
    if isinstance(error, asyncpg.DataError):
        return False
    if isinstance(error, asyncpg.PostgresError):
        return sqlstate(error).startswith(_CONNECTION_LOST)
    return isinstance(error, DRIVER_ERRORS)


def stale_plan(error: BaseException) -> bool:
    """Whether a prepared statement outlived the schema it was made for."""
    return isinstance(error, asyncpg.InvalidCachedStatementError) or sqlstate(error) == "42P10"


def translate(error: BaseException, *, in_doubt: bool) -> UndercroftError:
    """The error a client sees; `in_doubt`: a change was sent outside a transaction."""
    if connection_lost(error):
        if in_doubt:
            return OutcomeUnknown("The connection to PostgreSQL broke before it answered.")
        return Unavailable("The connection to PostgreSQL broke.")
    if stale_plan(error):
        return Unavailable("The database's schema changed meanwhile.")
    constraint: str = getattr(error, "constraint_name", None) or ""
    if constraint in CONSTRAINTS:
        kind, message, hint = CONSTRAINTS[constraint]
        return kind(message, hint=hint)
    state = sqlstate(error)
    if state in _STATES:
        kind, message, hint = _STATES[state]
        return kind(message, hint=hint)
    if isinstance(error, asyncpg.DataError) or state.startswith("22"):
        return InvalidInput("A value does not fit its type in the database.")
    raise error
