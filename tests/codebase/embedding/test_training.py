"""What the model may learn from, and what it is taught of it."""

import numpy as np
import pytest
from training.archives import COPYLEFT, wanted
from training.comments import cleaned
from training.judging import Task, judged, lexical
from training.languages import SUFFIXES
from training.mining import mine, mine_file
from training.packages import packages
from training.prose import sections

PERMISSIVE = (
    "MIT",
    "BSD",
    "Apache-2.0",
    "ISC",
    "PSF",
    "Zlib",
    "BSL-1.0",
    "curl",
    "public domain",
    "Zsh",
    "LicenseRef-Repoze-BSD",
)
MEASURED = (
    "aiohttp",
    "fastapi",
    "express",
    "gin",
    "cobra",
    "gson",
    "sinatra",
    "ktor",
    "cats",
    "alamofire",
    "zod",
    "phoenix",
    "axum",
    "vitest",
    "abseil",
    "libuv",
    "bash-it",
)
PYTHON = '''"""Refuses what a stale lease wants to write."""

class Lease:
    """A right to write for a while."""

    def refuse(self, token):
        """Raise where the token is not the newest."""
        if token < self.newest:
            # another owner has taken over in the meantime
            raise Stale(token)
        return self.held
'''


def test_each_package_has_a_permissive_licence_and_a_version() -> None:
    for package in packages():
        assert package.licence.startswith(PERMISSIVE), package
        assert package.version
        assert package.pairs > 0


def test_no_package_is_a_repository_on_which_the_search_is_measured() -> None:
    assert not {package.name.split("/")[-1] for package in packages()} & set(MEASURED)


def test_some_packages_of_each_registry_are_held_out() -> None:
    assert {one.registry for one in packages() if one.held_out} == {"pypi", "npm", "debian"}


@pytest.mark.parametrize("name", MEASURED)
def test_a_copy_of_a_measured_repository_is_not_read(name: str) -> None:
    assert not wanted(f"src/{name}/server.py", 1_000, frozenset(SUFFIXES))
    assert not wanted(f"src/{name}.py", 1_000, frozenset(SUFFIXES))
    assert wanted("src/engine/catsup.py", 1_000, frozenset(SUFFIXES))


def test_a_file_under_other_terms_is_known_by_its_head() -> None:
    assert COPYLEFT.search("# under the terms of the GNU General Public License")
    assert not COPYLEFT.search("# Licensed under the Apache License, Version 2.0")


def test_a_file_gives_what_is_said_about_it_and_its_parts_without_the_saying() -> None:
    pairs, chunks = mine_file("lease.py", PYTHON, "python")
    said = {pair.kind: (pair.query, pair.code) for pair in pairs}
    assert said["module"][0] == "Refuses what a stale lease wants to write."
    assert said["class"][0] == "A right to write for a while."
    assert said["function"][0] == "Raise where the token is not the newest."
    assert said["inner"][0] == "another owner has taken over in the meantime"
    for query, code in said.values():
        assert query not in code
    assert said["function"][1].startswith("Lease refuse\n")
    assert any("def refuse" in chunk for chunk in chunks)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            "a.rs",
            "/// Sends the\n/// whole queue.\n#[inline]\npub fn send() {\n  SEND();\n}\n",
        ),
        (
            "a.go",
            "package a\n\n// Sends the\n// whole queue.\nfunc Send() {\n\tSEND()\n}\n",
        ),
        (
            "A.java",
            "class A {\n /** Sends the\n  * whole queue. */\n void b() {\n  SEND();\n }\n}\n",
        ),
        (
            "a.ts",
            "/** Sends the whole queue.\n * @x y */\nexport const a = () => {\n  SEND()\n}\n",
        ),
        ("a.rb", "# Sends the whole queue.\ndef a\n  b(1, 2, 3, 4, 5, 6)\n  c(1)\nend\n"),
        ("a.c", "/* Sends the\n * whole queue. */\nstatic int a(void) {\n  return bbbbbbb();\n}\n"),
        (
            "a.ex",
            'defmodule A do\n @doc "Sends the whole queue."\n def a(x) do\n  SEND(x)\n end\nend\n',
        ),
        ("a.sh", "# Sends the whole queue.\nsend_all() {\n  one; two; three; four;\n}\n"),
    ],
)
def test_documentation_is_found_as_each_language_writes_it(path: str, text: str) -> None:
    language = SUFFIXES["." + path.split(".")[1]]
    pairs, _ = mine_file(path, text.replace("SEND", "everything_that_waits"), language)
    assert "Sends the whole queue." in [pair.query for pair in pairs if pair.kind == "function"]


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("/**\n * Sends the whole queue.\n * @param x all\n */", "Sends the whole queue."),
        ("// Copyright 2020 by Some Body. All rights reserved.", ""),
        ("# Copyright Some Body\n#\n# Sends the whole queue.", "Sends the whole queue."),
        ("// x = y + z; foo(bar);", ""),
        ("# " + "noqa", ""),
    ],
)
def test_of_a_comment_only_the_description_is_kept(comment: str, said: str) -> None:
    assert cleaned(comment) == said


def test_one_package_gives_no_query_twice() -> None:
    found = mine([("a.py", PYTHON), ("b.py", PYTHON)], chunks=True, seed="x")
    queries = [pair.query for pair in found.pairs if pair.kind == "function"]
    assert len(queries) == len(set(queries)) == 1
    assert {chunk.path for chunk in found.chunks} == {"a.py", "b.py"}


def test_a_section_is_asked_for_by_its_heading() -> None:
    body = "Leases end by themselves when their owner does not renew them. " * 3
    found = list(sections(f"# Manual\n\n## How leases end\n\n{body}\n\n## License\n\n{body}"))
    assert [query for query, _ in found] == ["How leases end"]


def test_the_judge_gives_one_to_the_best_and_a_third_to_the_third() -> None:
    def task(wanted: int) -> Task:
        return Task(
            kind="function",
            package="p",
            queries=["stale lease"],
            wanted=[wanted],
            texts=["stale lease", "stale lamp of them", "nothing at all"],
            owners=np.arange(3),
        )

    assert judged([task(0)], lexical) == {"function": 1.0}
    assert judged([task(2)], lexical) == {"function": pytest.approx(1 / 3, abs=1e-4)}
