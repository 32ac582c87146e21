"""What chunks promise for any text: every line once, in order, exact, and never too long."""

import random
import runpy
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undercroft.codebase.chunking import VERSION, Parsed, language_of, parse
from undercroft.codebase.chunking.models import MAXIMUM

SAMPLES: dict[str, str] = runpy.run_path(str(Path(__file__).with_name("samples.py")))["SAMPLES"]


def assert_covers(text: str, parsed: Parsed) -> None:
    rows = text.split("\n")
    long_rows: dict[int, str] = {}
    seen: set[int] = set()
    for before, after in pairwise(parsed.chunks):
        same_giant_row = before.start_line == before.end_line == after.start_line == after.end_line
        assert after.start_line > before.end_line or same_giant_row
    for chunk in parsed.chunks:
        assert 0 < len(chunk.text) <= MAXIMUM
        exact = "\n".join(rows[chunk.start_line - 1 : chunk.end_line])
        if chunk.text != exact:
            assert chunk.start_line == chunk.end_line
            long_rows[chunk.start_line] = long_rows.get(chunk.start_line, "") + chunk.text
        seen.update(range(chunk.start_line, chunk.end_line + 1))
    assert all(rows[line - 1] == whole for line, whole in long_rows.items())
    assert {number for number, row in enumerate(rows, 1) if row.strip()} <= seen


MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(["drop", "double", "swap", "insert", "cut", "blank", "shift"]),
        st.integers(0, 10_000),
        st.text(alphabet="(){}[]<>\"'`#/*\\;:,.=$@ \t\r\n\x00äé日a1_-", max_size=12),
    ),
    max_size=6,
)


def mutated(text: str, mutations: list[tuple[str, int, str]]) -> str:
    rows = text.split("\n")
    for how, where, what in mutations:
        at = where % len(rows)
        if how == "drop":
            del rows[at : at + 3]
        elif how == "double":
            rows[at:at] = rows[at : at + 20] * 8
        elif how == "swap":
            rows[at], rows[0] = rows[0], rows[at]
        elif how == "insert":
            rows[at] = what + rows[at]
        elif how == "cut":
            rows = rows[: at + 1]
        elif how == "blank":
            rows[at] = ""
        else:
            rows[at] = "    " + rows[at] + what
        rows = rows or [""]
    return "\n".join(rows)


@pytest.mark.parametrize("path", sorted(SAMPLES))
@settings(max_examples=25, deadline=None)
@given(mutations=MUTATIONS)
def test_every_line_of_a_broken_file_is_in_a_chunk_once(
    path: str, mutations: list[tuple[str, int, str]]
) -> None:
    text = mutated(SAMPLES[path], mutations)

    parsed = parse(path, text)

    assert_covers(text, parsed)
    assert parsed == parse(path, text)


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(),
    suffix=st.sampled_from(
        ["py", "ts", "c", "md", "yml", "sql", "json", "rst", "txt", "vue", "unknown"]
    ),
)
def test_any_text_is_cut(text: str, suffix: str) -> None:
    assert_covers(text, parse(f"a.{suffix}", text))


@pytest.mark.parametrize("suffix", ["py", "js", "json", "md", "txt", "sql", "css", "vue"])
def test_a_giant_line_is_divided_and_nothing_is_lost(suffix: str) -> None:
    text = "a = 1\n\n" + "x" * 50_000 + "\n\nb = 2\n"

    assert_covers(text, parse(f"a.{suffix}", text))


def test_a_long_file_is_divided_in_linear_time_whatever_it_holds() -> None:
    chooser = random.Random(1)  # noqa: S311  no secret
    text = "\n".join("(" * chooser.randrange(40) + "x" for _ in range(20_000))

    assert_covers(text, parse("a.py", text))


def test_nesting_beyond_reason_does_not_break() -> None:
    text = "\n".join("  " * depth + f"def f{depth}():" for depth in range(400))

    assert_covers(text, parse("a.py", text))


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a/b.PY", "python"),
        ("Dockerfile", "dockerfile"),
        ("x.tsx", "tsx"),
        ("README", "text"),
        ("a.h", "c"),
        ("noext", "text"),
    ],
)
def test_a_name_tells_the_language(path: str, language: str) -> None:
    assert language_of(path, "") == language


def test_a_first_line_tells_the_language_of_a_script() -> None:
    assert language_of("run", "#!/usr/bin/env python3\n") == "python"
    assert language_of("run", "#!/bin/bash -e\n") == "bash"
    assert language_of("run", "#!/usr/bin/env -S node --flag\n") == "javascript"


def test_a_header_is_c_plus_plus_when_it_says_so() -> None:
    assert language_of("a.h", "namespace a {\nclass B {};\n}\n") == "cpp"
    assert language_of("a.h", "#import <A.h>\n@interface B\n@end\n") == "objc"


def test_the_version_is_a_number() -> None:
    assert isinstance(VERSION, int)
