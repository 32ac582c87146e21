import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.db.migrate.statements import fill_in, split
from undercroft.errors import InvalidInput


def texts(sql: str) -> list[str]:
    return [statement.text for statement in split(sql)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'a;b', 'it''s;'",
        r"SELECT E'a\';b', e'\\'",
        "SELECT U&'a;b', $1",
        'SELECT 1 AS "semi;colon ""quoted;"""',
        "SELECT $$a;b$$, $tag$ $$ ; $other$ $tag$",
        "SELECT 1 -- a ; here\n, 2",
        "SELECT /* a ; /* nested ; */ still ; */ 1",
        "SELECT foo$bar$ ",
        "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2)",
        (
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC "
            "SELECT CASE WHEN true THEN 1 END; SELECT 2; END"
        ),
        "create or replace procedure p() begin atomic select 1; end",
        "DO $do$ BEGIN PERFORM 1; END $do$",
        "SELECT 'äöü;' AS größe",
    ],
)
def test_a_semicolon_inside_something_ends_no_statement(statement: str) -> None:
    assert texts(f"{statement};\nSELECT 2;") == [statement.strip(), "SELECT 2"]


def test_comments_and_empty_statements_are_no_statements() -> None:
    assert texts("-- a\n;;/* b */;\n  SELECT 1 ; -- c") == ["SELECT 1"]


def test_a_statement_knows_the_line_where_it_begins() -> None:
    lines = [s.line for s in split("-- head\n\nSELECT 1;\n/* two\nlines */ SELECT\n2;")]
    assert lines == [3, 5]


@pytest.mark.parametrize("sql", ["SELECT 1;\nSELECT 'a", "\n/* a", "\n$x$ a", '\nSELECT "a'])
def test_what_is_never_closed_is_named_with_its_line(sql: str) -> None:
    with pytest.raises(InvalidInput, match=r"f\.sql:2"):
        split(sql, "f.sql")


@pytest.mark.parametrize("word", ["BEGIN", "commit", "ROLLBACK", "START TRANSACTION", "END"])
def test_a_file_that_controls_transactions_is_refused(word: str) -> None:
    with pytest.raises(InvalidInput, match=r"f\.sql:2.*must not control transactions"):
        split(f"SELECT 1;\n{word};", "f.sql")


@pytest.mark.parametrize(
    ("sql", "own"),
    [
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", True),
        ("CREATE INDEX /* x */ concurrently ON t (a)", True),
        ("DROP INDEX CONCURRENTLY i", True),
        ("REINDEX TABLE CONCURRENTLY t", True),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY v", True),
        ("VACUUM t", True),
        ("ALTER SYSTEM SET work_mem = '1MB'", True),
        ("CREATE DATABASE d", True),
        ("CREATE INDEX i ON t (a)", False),
        ("ALTER TABLE t ADD a int", False),
        ("SELECT 'CREATE INDEX CONCURRENTLY'", False),
    ],
)
def test_what_postgresql_refuses_in_a_transaction_is_known(sql: str, own: bool) -> None:
    assert [s.needs_own_session for s in split(sql)] == [own]


@pytest.mark.parametrize(
    ("sql", "filled"),
    [
        ("GRANT SELECT ON t TO :app;", 'GRANT SELECT ON t TO "me";'),
        ("GRANT x TO :app,:app", 'GRANT x TO "me","me"'),
        ("SELECT a::app, b[1:app2], :apple", "SELECT a::app, b[1:app2], :apple"),
        ("SELECT ':app', \":app\", $$:app$$ -- :app", "SELECT ':app', \":app\", $$:app$$ -- :app"),
    ],
)
def test_the_app_variable_is_filled_in_only_as_a_word_of_code(sql: str, filled: str) -> None:
    assert fill_in(sql, '"me"') == filled


PIECES = st.sampled_from(
    [
        "'a;b'",
        "E'\\';'",
        '"x;y"',
        "$$;$$",
        "$t$;$$;$t$",
        "/*;/*;*/*/",
        "--;\n",
        "(",
        ")",
        "a",
        " ",
        "1",
    ]
)


@given(st.lists(PIECES, min_size=1, max_size=12))
def test_splitting_loses_no_code(pieces: list[str]) -> None:
    code = " ".join(pieces)
    code += ")" * (code.count("(") - code.count(")"))
    statements = split(f"x {code} ; y")
    if "(" not in code.replace(")", ""):
        assert statements[0].text.startswith("x")
    assert "".join(s.text for s in statements).replace(" ", "").endswith("y")
