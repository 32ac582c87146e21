"""One translation in: by SQLSTATE and constraint name, never by the server's words."""

import asyncpg
import pytest

from undercroft.db.sqlstate import CONSTRAINTS, connection_lost, stale_plan, translate
from undercroft.errors import (
    Conflict,
    InvalidInput,
    LimitReached,
    NotFound,
    OutcomeUnknown,
    Unavailable,
)

SECRET = "Key (name)=(hunter2) already exists."


def raised(state: str, **fields: str) -> asyncpg.PostgresError:
    found = {"C": state, "M": SECRET, "D": SECRET, "S": "ERROR"} | fields
    return asyncpg.PostgresError.new(found)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("23505", Conflict),
        ("23514", InvalidInput),
        ("22P02", InvalidInput),
        ("22012", InvalidInput),
        ("3D000", NotFound),
        ("57P04", NotFound),
        ("40001", Unavailable),
        ("40P01", Unavailable),
        ("42P04", Unavailable),
        ("42710", Unavailable),
        ("53100", LimitReached),
        ("53300", Unavailable),
        ("57014", LimitReached),
        ("57P03", Unavailable),
        ("55P03", Unavailable),
    ],
)
def test_a_state_becomes_a_kind_and_nothing_of_the_servers_words(state, kind) -> None:
    error = translate(raised(state), in_doubt=True)
    assert type(error) is kind
    assert "hunter2" not in str(error.as_dict())


@pytest.mark.parametrize("in_doubt", [True, False])
@pytest.mark.parametrize(
    "error",
    [
        raised("57P01"),
        raised("08006"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("cannot switch to state 12"),
        ConnectionResetError(),
        TimeoutError(),
    ],
)
def test_a_lost_connection_leaves_doubt_only_where_a_change_was_sent(error, in_doubt) -> None:
    assert connection_lost(error)
    assert type(translate(error, in_doubt=in_doubt)) is (
        OutcomeUnknown if in_doubt else Unavailable
    )


def test_a_value_that_the_driver_cannot_encode_is_no_lost_connection() -> None:
    error = asyncpg.DataError("invalid input for query argument $1: hunter2")
    assert not connection_lost(error)
    assert type(translate(error, in_doubt=True)) is InvalidInput


@pytest.mark.parametrize("name", sorted(CONSTRAINTS))
def test_a_named_constraint_has_a_sentence_of_its_own(name) -> None:
    kind, message, _ = CONSTRAINTS[name]
    error = translate(raised("23514", n=name), in_doubt=False)
    assert (type(error), error.message) == (kind, message)


def test_stale_plans_are_known_by_class_and_state() -> None:
    assert stale_plan(raised("42P10"))
    assert stale_plan(asyncpg.InvalidCachedStatementError())
    assert not stale_plan(raised("42P01"))


def test_a_defect_of_ours_stays_what_it_is() -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        translate(raised("42P01"), in_doubt=False)
