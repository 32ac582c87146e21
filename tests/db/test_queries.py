"""Named SQL: the file format, and what counts as a write."""

import pytest

from undercroft.db.queries import Queries, load_queries, make_query, quote_ident, quote_literal

TEXT = """
Prose at the head.

-- read_one --
-- The first.
SELECT 1;

-- write_one --
-- The second.
INSERT INTO t VALUES ($1);
"""


def test_blocks_become_attributes_with_their_comment_and_without_the_semicolon() -> None:
    queries = Queries(TEXT, "here")
    assert [query.name for query in queries] == ["read_one", "write_one"]
    assert queries.read_one.text == "-- The first.\nSELECT 1"
    assert (queries.read_one.writes, queries.write_one.writes) == (False, True)


def test_an_unknown_name_says_which_file_lacks_it() -> None:
    with pytest.raises(AttributeError, match="here has no block nothing"):
        _ = Queries(TEXT, "here").nothing


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        Queries("-- a --\nSELECT 1;\n-- a --\nSELECT 2;", "here")


@pytest.mark.parametrize(
    ("text", "writes"),
    [
        ("SELECT 1", False),
        ("SELECT 'insert into x', \"delete from\" -- drop table t", False),
        ("SELECT update_time FROM t", False),
        ("SELECT * FROM t FOR UPDATE", False),
        ("SELECT * FROM t FOR NO KEY UPDATE SKIP LOCKED", False),
        ("INSERT INTO t VALUES (1)", True),
        ("UPDATE t SET a = 1", True),
        ("UPDATE only t SET a = 1", True),
        ('UPDATE "t" SET a = 1', True),
        ('UPDATE "s"."t" SET a = 1', True),
        ("SELECT * FROM t FOR\nUPDATE", False),
        ("UPDATE s.t SET a = 1", True),
        ("DELETE FROM t", True),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", True),
        ("WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone", True),
        ("WITH x AS (UPDATE t SET a = 1 RETURNING *) SELECT * FROM x", True),
        ("CREATE DATABASE d", True),
        ("TRUNCATE t", True),
        ("ALTER DATABASE d ALLOW_CONNECTIONS true", True),
        ("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity", False),
    ],
)
def test_writes_are_told_from_reads(text: str, writes: bool) -> None:
    assert make_query("q", text).writes is writes


def test_a_block_says_where_a_function_does_the_writing() -> None:
    source = "-- get_it --\nSELECT f();\n-- take_it writes --\nSELECT f();\n"
    queries = Queries(source, "probe.sql")
    assert [(one.name, one.writes) for one in queries] == [("get_it", False), ("take_it", True)]


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("undercroft.projects", "queries.sql"),
        ("undercroft.db", "idempotency.sql"),
        ("undercroft.db", "roles.sql"),
    ],
)
def test_the_products_files_load_and_each_block_says_what_it_is_for(package, name) -> None:
    queries = list(load_queries(package, name))
    assert queries
    for query in queries:
        assert query.text.startswith("-- "), query.name
        lines = [line for line in query.text.splitlines() if not line.startswith("--")]
        assert ";" not in "".join(lines), query.name


@pytest.mark.parametrize("name", ["plain", 'a"b', "Ünï ☃", "a;drop table t", "\\", "'", "$$"])
async def test_quoted_identifiers_and_literals_come_back_as_they_were(name, admin) -> None:
    row = await admin.fetchrow(f"SELECT 1 AS {quote_ident(name)}, {quote_literal(name)}")
    assert list(row.keys())[0] == name  # noqa: RUF015 - the driver's keys know no next()
    assert row[1] == name


def test_nul_cannot_be_quoted() -> None:
    for quote in (quote_ident, quote_literal):
        with pytest.raises(ValueError, match="NUL"):
            quote("a\0b")
