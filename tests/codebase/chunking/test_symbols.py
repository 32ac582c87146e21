"""What is found in the samples: definitions, their chunks, and names that are used."""

import runpy
from pathlib import Path

import pytest

from undercroft.codebase.chunking import Parsed, Symbol, parse
from undercroft.codebase.chunking.definitions import tables
from undercroft.codebase.chunking.grammars import grammar_of

SAMPLES: dict[str, str] = runpy.run_path(str(Path(__file__).with_name("samples.py")))["SAMPLES"]


def definitions(parsed: Parsed) -> set[str]:
    """Each definition as "kind scope.name"."""
    return {
        f"{symbol.kind} {symbol.scope}.{symbol.name}"
        if symbol.scope
        else f"{symbol.kind} {symbol.name}"
        for symbol in parsed.symbols
        if symbol.role == "definition"
    }


def reference(parsed: Parsed, name: str) -> Symbol:
    return next(
        symbol for symbol in parsed.symbols if symbol.role == "reference" and symbol.name == name
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "shop.py",
            [
                "constant LIMIT",
                "class Basket",
                "method Basket.total",
                "method Basket.add",
                "function checkout",
                "field Basket.size",
            ],
        ),
        (
            "shop.js",
            [
                "constant limit",
                "function pay",
                "class Basket",
                "method Basket.add",
                "method app.use",
            ],
        ),
        (
            "shop.ts",
            [
                "interface Thing",
                "type Id",
                "class Basket",
                "method Basket.total",
                "module Till",
                "function Till.open",
            ],
        ),
        ("shop.tsx", ["function Basket"]),
        ("shop.go", ["struct Basket", "method Basket.Add", "function New", "field Basket.things"]),
        (
            "shop.rs",
            [
                "struct Basket",
                "impl Basket",
                "method Basket.add",
                "method Basket.fmt",
                "macro basket",
            ],
        ),
        (
            "Shop.java",
            [
                "class Shop",
                "constructor Shop.Shop",
                "method Shop.total",
                "enum Shop.State",
                "field Shop.limit",
            ],
        ),
        ("Shop.kt", ["class Shop", "method Shop.total", "method String.shout", "field Shop.limit"]),
        ("Shop.scala", ["object Shop", "method Shop.open", "method Shop.shut", "class Thing"]),
        (
            "Shop.swift",
            [
                "struct Shop",
                "constructor Shop.init",
                "method Shop.total",
                "extension Shop",
                "method Shop.open",
            ],
        ),
        ("shop.c", ["constant LIMIT", "struct basket", "function total", "field basket.size"]),
        (
            "shop.cpp",
            [
                "module shop",
                "class shop.Basket",
                "declaration shop.Basket.total",
                "method shop.Basket.total",
                "field shop.Basket.size_",
            ],
        ),
        (
            "shop.rb",
            [
                "module Shop",
                "class Shop.Basket",
                "constant Shop.Basket.LIMIT",
                "method Shop.Basket.empty",
                "method Shop.Basket.add",
            ],
        ),
        (
            "shop.ex",
            ["module Shop.Basket", "function Shop.Basket.add", "function Shop.Basket.empty"],
        ),
        ("shop.sh", ["variable LIMIT", "function pay", "function shut"]),
        ("shop.php", ["class Basket", "method Basket.add", "function pay"]),
        ("shop.cs", ["module Shop", "class Shop.Basket", "method Shop.Basket.Total"]),
        ("shop.lua", ["method M.pay"]),
        ("shop.hs", ["type Basket", "function total"]),
        ("shop.ml", ["module Shop", "function Shop.total"]),
        ("shop.zig", ["function total"]),
        ("shop.vue", ["function total"]),
        ("shop.sql", ["table shop.basket", "function shop.total"]),
    ],
)
def test_what_a_file_defines_is_found(path: str, expected: list[str]) -> None:
    found = definitions(parse(path, SAMPLES[path]))

    assert set(expected) <= found


@pytest.mark.parametrize("language", sorted(tables()))
def test_every_pattern_of_a_table_is_known_to_its_grammar(language: str) -> None:
    grammar = grammar_of(language)

    assert grammar is not None
    defining = [kind for kind in grammar.kinds if kind not in {"comment", "string", "error"}]
    assert defining == [kind for kind, _ in tables()[language]]


def test_a_definition_keeps_its_comment_and_its_decorators() -> None:
    body = "    work()\n" * 40
    text = "import a\n\n" + "x = 1\n" * 80 + "\n\n# Says why.\n@cached\ndef long():\n" + body

    chunk = next(chunk for chunk in parse("a.py", text).chunks if chunk.symbol == "long")

    assert chunk.text.startswith("# Says why.\n@cached\ndef long():")
    assert (chunk.kind, chunk.scope) == ("function", "")


def test_the_methods_of_a_large_class_are_chunks_under_its_name() -> None:
    body = "        work()\n" * 30
    methods = "".join(f"    def m{n}(self):\n{body}\n" for n in range(4))
    text = f'class Big:\n    """Doc."""\n\n{methods}'

    chunks = parse("a.py", text).chunks

    assert [(chunk.kind, chunk.scope) for chunk in chunks[1:]] == [("method", "Big")] * 3
    assert chunks[0].text.startswith('class Big:\n    """Doc."""\n\n    def m0')
    assert [chunk.symbol for chunk in chunks] == ["Big m0", "m1", "m2", "m3"]


def test_small_neighbours_share_a_chunk_that_names_them_all() -> None:
    text = "def one():\n    pass\n\n\ndef two():\n    pass\n"

    (chunk,) = parse("a.py", text).chunks

    assert chunk.symbol == "one two"


def test_a_long_function_is_cut_between_its_statements() -> None:
    block = "    if a:\n        call(\n            one,\n            two,\n        )\n"
    text = f"def long(a):\n{block * 120}"

    chunks = parse("a.py", text).chunks

    assert len(chunks) > 3
    assert all(chunk.symbol == "long" for chunk in chunks)
    assert all(chunk.text.startswith("    if a:") for chunk in chunks[1:])


def test_names_in_comments_and_texts_are_no_references() -> None:
    parsed = parse("a.py", 'def f():\n    # ghost\n    return shown("phantom", f"{inside}")\n')
    names = {symbol.name for symbol in parsed.symbols if symbol.role == "reference"}

    assert {"shown", "inside"} <= names
    assert not {"ghost", "phantom", "return", "def"} & names


def test_a_reference_tells_its_lines_and_whether_it_is_called() -> None:
    parsed = parse("a.go", 'package a\n\nfunc f() {\n\tuse("x")\n\tuse(1)\n\tv := other\n}\n')

    assert reference(parsed, "use").lines == (4, 5)
    assert reference(parsed, "use").kind == "call"
    assert reference(parsed, "other").kind == "name"


def test_a_heading_names_its_section_and_the_headings_above() -> None:
    filler = "Words of some length that fill a section. " * 12
    text = f"# Shop\n\n{filler}\n\n## Pay\n\n{filler}\n\n```sh\n# no heading\n```\n"

    chunks = parse("a.md", text).chunks

    assert [(chunk.symbol, chunk.scope) for chunk in chunks] == [("Shop", ""), ("Pay", "Shop")]


def test_a_file_that_no_grammar_can_take_says_why() -> None:
    assert parse("a.groovy_", "x").fallback == ""
    assert parse("a.py", "x = 1\n" * 110_000).fallback == "too large"
    assert parse("a.csv", "a,b\n").fallback == ""


def test_statements_of_sql_end_at_semicolons_that_are_none_of_a_text() -> None:
    chunks = parse("shop.sql", SAMPLES["shop.sql"] * 3).chunks

    assert all(chunk.kind == "statement" for chunk in chunks)
    assert "basket total" in chunks[0].symbol
