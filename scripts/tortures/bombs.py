"""Files that are small on disk and hard on whoever decodes, cuts, parses or masks them."""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable

SIZE = 400_000
"""Bytes of most of them: below what is left out for its size alone."""

Maker = Callable[[random.Random], bytes]


def _again(piece: str, end: str = "") -> Maker:
    """The same over and over."""
    return lambda _: (piece * (SIZE // len(piece)) + end).encode()


def _nested(before: str, after: str, depth: int = 30_000) -> Maker:
    """One in the other in the other."""
    return lambda _: (before * depth + "x" + after * depth).encode()


def _steps(line: str, depth: int = 600) -> Maker:
    """Each line deeper than the one above."""
    return lambda _: "".join(f"{' ' * n}{line.format(n)}\n" for n in range(depth)).encode()


def _names(dice: random.Random) -> bytes:
    """Names without end, each of them another one."""
    letters = string.ascii_letters
    return "\n".join(
        f"{''.join(dice.choices(letters, k=12))} = {''.join(dice.choices(letters, k=9))}()"
        for _ in range(12_000)
    ).encode()


def _long_name(dice: random.Random) -> bytes:
    """A name of 90,000 letters that nothing shortens, defined and used."""
    name = "".join(dice.choices(string.ascii_letters, k=90_000))
    return f"def {name}(a):\n    return {name}(a)\n\nclass {name}:\n    pass\n".encode()


def _encoded(encoding: str) -> Maker:
    return lambda _: ("def encoded():\n    return 'ü€日本'\n" * 300).encode(encoding, "replace")


def _random(dice: random.Random) -> bytes:
    return dice.randbytes(100_000)


def _keys(dice: random.Random) -> bytes:
    """Beginnings of keys and tokens that never end."""
    pieces = ["-----BEGIN PRIVATE KEY-----\n", "eyJhbGciOiJI.", "password = '", "://a:", "token: "]
    return "".join(dice.choices(pieces, k=15_000)).encode()


BOMBS: dict[str, Maker] = {
    "one_line.py": lambda _: b"a = '" + b"x" * SIZE + b"'",
    "one_line.md": lambda dice: base64.b64encode(dice.randbytes(SIZE)),
    "newlines.py": lambda _: b"\n" * SIZE,
    "returns.py": lambda _: b"a = 1\r" * 30_000,
    "nul.py": lambda _: b"a = 1\n\0b = 2\n",
    "late_nul.py": lambda _: b"a = 1\n" * 9_000 + b"\0",
    "utf16.py": _encoded("utf-16"),
    "utf16_be.py": lambda _: b"\xfe\xff" + ("x = 'ü'\n" * 99).encode("utf-16-be"),
    "utf16_odd.py": lambda _: b"\xff\xfea\x00\x00\xd8b\x00c",
    "utf32.py": _encoded("utf-32"),
    "latin.py": _encoded("latin-1"),
    "marks.py": lambda _: b"\xef\xbb\xbf" * 500 + b"a = 1\n",
    "utf8_cut.py": lambda _: ("ü" * 200).encode()[:-1],
    "surrogates.py": lambda _: b"a = '\xed\xa0\x80\xed\xb0\x80'\n" * 50,
    "controls.py": lambda _: bytes(range(1, 32)) * 100,
    "random.py": _random,
    "same.py": _again("a = a + 1\n"),
    "same.c": _again("#define A(x) A(A(x))\n"),
    "words.md": _again("lorem ipsum "),
    "combining.py": lambda _: ("a" + "\u0301" * 100_000).encode(),
    "astral.js": lambda _: ("const \U0001d4b6 = '\U0001f4a3'\n" * 3_000).encode(),
    "brackets.json": _nested("[", "]", 100_000),
    "objects.json": _nested('{"a":', "}"),
    "brackets.py": _nested("[", "]"),
    "parens.c": _nested("(", ")", 100_000),
    "braces.rs": _nested("{", "}", 60_000),
    "open.js": _again("(["),
    "functions.js": _nested("function f(){", "}", 20_000),
    "classes.java": _nested("class A{", "}", 20_000),
    "spaces.cpp": _nested("namespace aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{", "}", 6_000),
    "tags.xml": _nested("<a>", "</a>"),
    "tags.html": _again("<div><span>"),
    "tags.tsx": _nested("<A>", "</A>", 20_000),
    "quotes.md": _again("> "),
    "headings.md": _again("# a\n"),
    "steps.py": _steps("def f{}():"),
    "steps.yaml": _steps("k{}:"),
    "anchors.yaml": lambda _: "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 5_000)
    ).encode(),
    "selects.sql": _nested("SELECT (", ")"),
    "quotes.sql": _again("$a$ ' $b$ "),
    "dots.py": _again("a.b."),
    "generics.cs": _nested("List<", ">"),
    "operators.py": _again("1+-~"),
    "strings.rb": _again('#{"', "\n"),
    "heredocs.sh": _again("<<A <<B\n"),
    "backticks.js": _again("`${"),
    "names.py": _names,
    "long_name.py": _long_name,
    "long_name.go": lambda dice: _long_name(dice).replace(b"def ", b"func ").replace(b":", b"{}"),
    "keys.py": _keys,
    "password.txt.py": _again("password"),
    "assigned.py": _again("api_key: "),
    "addresses.py": _again("://a:@"),
    "tables.csv": _again("a,b,c,"),
    "equals.ini": _again("=[\n"),
    "tables.toml": _again("[[a]]\n"),
    "macros.h": _again("AAAAAA\n"),
    "templates.vue": _again("<script>{{"),
    "lisp.el": _nested("(", ")", 60_000),
    "cells.ipynb": _nested('{"cells":[', "]}", 9_000),
    "spaces.py": _again(" "),
    "tabs.go": _again("\t"),
}
