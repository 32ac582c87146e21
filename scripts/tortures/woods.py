"""A made-up repository that looks like one, and somebody who keeps editing it.

Each file carries a word of its own that no other has, and a word that changes with every
edit. A ledger says since when each file is as it is.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

LETTERS = "bcdfghjklmnpqrtvwxz"
"""Without vowels: no word of them is stemmed, or met by chance."""

NOUNS = (
    *("ledger", "invoice", "account", "tenant", "batch", "queue", "lease", "token", "session"),
    *("cursor", "widget", "report", "router", "schema", "packet", "region", "shard", "bucket"),
    *("metric", "window", "trigger", "budget", "voucher", "parcel", "depot"),
)
VERBS = ("reconcile", "load", "store", "merge", "split", "validate", "refresh", "archive", "rotate")

PYTHON = '''"""The {noun} of each {other}: {word}."""

from dataclasses import dataclass

REVISION = "{edit}"


@dataclass
class {Noun}{Other}:
    """Keeps one {noun} for a {other}."""

    amount: int
    label: str

    def {verb}_{noun}(self, limit: int) -> int:
        """Bring the {noun} below its limit."""
        if self.amount > limit:
            raise ValueError(f"the {noun} {{self.label}} exceeds {{limit}}")
        return limit - self.amount


def {word}_{verb}({noun}s, {other}):
    """Every {noun} that a {other} still has to {verb}."""
    found = []
    for {noun} in {noun}s:
        if {noun}.label.startswith({other}) and {noun}.amount:
            found.append({noun})
    return sorted(found, key=lambda one: one.amount)
'''
JAVASCRIPT = """// {word}: the {noun} page. {edit}
import {{ {verb}{Other} }} from "./{other}.js";

export class {Noun}View {{
  constructor({other}) {{
    this.{other} = {other};
    this.revision = "{edit}";
  }}

  async {verb}() {{
    const rows = await {verb}{Other}(this.{other});
    return rows.filter((row) => row.{noun} !== null).map((row) => row.{noun}.total);
  }}
}}

export function {word}({noun}, retries = 3) {{
  for (let attempt = 0; attempt < retries; attempt += 1) {{
    if ({noun}.ready) return {noun}.{other};
  }}
  throw new Error(`no {other} for ${{{noun}.id}}`);
}}
"""
GO = """// Package {noun} {verb}s every {other}.
package {noun}

import "errors"

const revision = "{edit}"

type {Noun} struct {{
\tAmount int
\t{Other} string
}}

// {Word} tells whether the {noun} may {verb} its {other}.
func {word}(one {Noun}, limit int) (int, error) {{
\tif one.Amount > limit {{
\t\treturn 0, errors.New("{noun} exceeds its {other}")
\t}}
\treturn limit - one.Amount, nil
}}
"""
SQL = """-- {word}: what a {noun} owes to its {other}. {edit}
CREATE TABLE {noun}_{other}s (
    id bigint PRIMARY KEY,
    {noun} text NOT NULL,
    amount integer NOT NULL CHECK (amount >= 0)
);

CREATE VIEW {word} AS
SELECT {noun}, sum(amount) AS total FROM {noun}_{other}s GROUP BY {noun};
"""
MARKDOWN = """# How to {verb} a {noun}

The {word} guide, revision {edit}.

## Before you begin

Every {other} has one {noun}. If it is missing, {verb} the {other} first and look at its report.

## Steps

1. Open the {noun} of the {other}.
2. {verb} it, and wait until the {other} says that it is done.
"""
YAML = """# {word}
revision: {edit}
{noun}:
  {other}: true
  limits:
    {verb}: 12
    retries: 3
"""
KINDS = {
    "py": PYTHON,
    "js": JAVASCRIPT,
    "go": GO,
    "sql": SQL,
    "md": MARKDOWN,
    "yaml": YAML,
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file as it is on disk since some moment."""

    word: str
    """Of this file alone."""
    edit: str
    """Of this state of it alone."""
    since: float
    """Seconds of the clock when the last write to it had ended."""


@dataclass(kw_only=True)
class Woods:
    """The repository."""

    root: Path
    dice: random.Random
    ledger: dict[str, Entry] = field(default_factory=dict)
    gone: dict[str, float] = field(default_factory=dict)
    """Path → since when there is no such file."""
    still: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Whoever holds it finds the files at rest."""
    edits: int = 0

    def plant(self, count: int) -> None:
        """The first files; every fifteenth says what its neighbour says."""
        for number in range(count):
            path = self._fresh_path()
            if number % 15 == 14:  # noqa: PLR2004 - a mixture
                self._copy(path)
            else:
                self._write(path, self._word())
            # As if written a while ago: what was written just now is read twice.
            os.utime(self.root / path, (time.time() - 100, time.time() - 100 - number))

    async def edit(self, stop: asyncio.Event) -> None:
        """Change something all the time."""
        while not stop.is_set():
            async with self.still:
                for _ in range(self.dice.randint(1, 4)):
                    self._change()
            await asyncio.sleep(self.dice.uniform(0.02, 0.2))

    def switch(self, share: float) -> None:
        """Another branch: many files at once say something else."""
        for path in self.dice.sample(sorted(self.ledger), int(share * len(self.ledger))):
            self._write(path, self.ledger[path].word)

    def _change(self) -> None:
        self.edits += 1
        roll = self.dice.random()
        path = self.dice.choice(sorted(self.ledger))
        if roll < 0.5:  # noqa: PLR2004 - a mixture
            self._write(path, self.ledger[path].word)
        elif roll < 0.65:  # noqa: PLR2004 - a mixture
            self._write(self._fresh_path(), self._word())
        elif roll < 0.75:  # noqa: PLR2004 - a mixture
            self._copy(self._fresh_path())
        elif roll < 0.9:  # noqa: PLR2004 - a mixture
            self._rename(path)
        else:
            (self.root / path).unlink()
            self._forget(path)

    def _write(self, path: str, word: str) -> None:
        edit = self._word()
        text = self._text(path, word, edit)
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if self.dice.random() < 0.5:  # noqa: PLR2004 - as editors do, one way or the other
            place.write_text(text)
        else:
            beside = place.with_name(f".{place.name}.swp~")
            beside.write_text(text)
            beside.rename(place)
        self._note(path, word, edit)

    def _copy(self, path: str) -> None:
        ending = path.rpartition(".")[2]
        alike = [other for other in sorted(self.ledger) if other.endswith(f".{ending}")]
        if not alike:
            return self._write(path, self._word())
        of = self.dice.choice(alike)
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes((self.root / of).read_bytes())
        return self._note(path, self.ledger[of].word, self.ledger[of].edit)

    def _rename(self, path: str) -> None:
        entry = self.ledger[path]
        new = str(Path(self._fresh_path()).with_suffix(Path(path).suffix))
        (self.root / new).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).rename(self.root / new)
        self._forget(path)
        self._note(new, entry.word, entry.edit)

    def _note(self, path: str, word: str, edit: str) -> None:
        self.ledger[path] = Entry(word=word, edit=edit, since=time.time())
        self.gone.pop(path, None)

    def _forget(self, path: str) -> None:
        del self.ledger[path]
        self.gone[path] = time.time()

    def _word(self) -> str:
        return "zq" + "".join(self.dice.choices(LETTERS, k=9)) + "x"

    def _fresh_path(self) -> str:
        dice = self.dice
        kind = dice.choice(list(KINDS))
        name = f"{dice.choice(NOUNS)}_{dice.choice(VERBS)}_{dice.randrange(10**6)}.{kind}"
        return f"{dice.choice(NOUNS)}/{dice.choice(VERBS)}/{name}"

    def _text(self, path: str, word: str, edit: str) -> str:
        noun, other = self.dice.sample(NOUNS, 2)
        template = KINDS[path.rpartition(".")[2]]
        return "".join(_repeated(template, word, edit, noun, other, self.dice))


def _repeated(  # noqa: PLR0913, PLR0917 - what a template has holes for
    template: str, word: str, edit: str, noun: str, other: str, dice: random.Random
) -> Iterator[str]:
    """The template once or a few times over, so that files differ in length."""
    for _ in range(dice.randint(1, 4)):
        yield template.format(
            word=word,
            Word=word.title(),
            edit=edit,
            noun=noun,
            Noun=noun.title(),
            other=other,
            Other=other.title(),
            verb=dice.choice(VERBS),
        )
