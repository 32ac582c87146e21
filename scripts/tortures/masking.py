"""Secrets of many kinds lie in a repository; what is caught of them is nowhere in the store.

Every third kind is kept aside: only their number is told, never which of them were missed, so that
nobody can mend the masking after them.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tortures.frame import Effort
from tortures.indexers import make_projects, nursery
from tortures.invariants import Invariant, at_least, none_of
from tortures.killing import place_of
from tortures.made_up import Sample, kinds, likes, made, sample
from tortures.scratch import scratch
from tortures.soundness import INDEX, everything

PROJECT = "keys"
CAUGHT = 95.0
"""Of a hundred secrets, so many at least."""

ASIDE = 80.0
"""Of a hundred of kinds that no rule was written for, so many at least."""

ALARMS = 5.0
"""Of a hundred look-alikes, so many at most are taken for secrets."""

WINDOW = 10
"""Characters in a row of a secret that are looked for everywhere."""

ENDINGS = ("py", "js", "yaml", "toml", "md", "sh", "go", "txt", "tf", "java")
PRIVATE = (".env", ".npmrc.env", "id_rsa", "deploy.pem", "credentials.json", "secrets.yaml")
"""Files that are not read at all."""

BEFORE = "# how the service is set up\nname = 'shop'\n\n"
AFTER = "\n\nretries = 3\n"


@dataclass(kw_only=True)
class Planted:
    """What lies in the folder."""

    samples: dict[str, Sample] = field(default_factory=dict)
    """By path."""
    unread: list[Sample] = field(default_factory=list)
    """In files that are never read."""
    likes: dict[str, str] = field(default_factory=dict)


def plant(root: Path, each: int, dice: random.Random) -> Planted:
    """Write the files."""
    planted = Planted()
    for number, kind in enumerate(kinds()):
        for count in range(each):
            path = f"kind_{number}/part_{count}.{dice.choice(ENDINGS)}"
            planted.samples[path] = _written(root / path, sample(kind, dice))
    for number, line in enumerate(likes()):
        for count in range(each):
            path = f"like_{number}/part_{count}.{dice.choice(ENDINGS)}"
            text = made(line, dice).replace("\\n", "\n")
            planted.likes[path] = text
            _write(root / path, text)
    for name in PRIVATE:
        planted.unread.append(_written(root / "private" / name, sample(dice.choice(kinds()), dice)))
    return planted


def _written(path: Path, one: Sample) -> Sample:
    _write(path, one.text)
    return one


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{BEFORE}{text}{AFTER}", "utf-8")


async def torture(effort: Effort) -> AsyncIterator[Invariant]:
    """Most secrets are caught, and nothing of those that are caught is stored in any form."""
    dice = random.Random(effort.minutes or 7)  # noqa: S311 - a reproducible run
    async with scratch(effort.fault) as place, nursery(place) as born:
        await place.configure(fsync="off")
        await make_projects(place, PROJECT)
        await effort.plant(place)
        root = place_of(place) / PROJECT
        planted = plant(root, effort.count(12, quick=3), dice)
        run = await born.start(PROJECT, root, once=True, few_files=10**6)
        if await run.ended:
            raise RuntimeError(f"the index was not made: {run.said}")
        async with place.asked(f"project_{PROJECT}") as connection:
            [row] = await connection.fetch(INDEX.list_repositories.text)
            texts = {
                found["path"]: found["content"]
                for found in await connection.fetch(INDEX.list_texts.text, row["id"])
            }
            held = await everything(connection)
    for invariant in _judged(planted, texts, held):
        yield invariant


def _judged(
    planted: Planted, texts: Mapping[str, str], held: Mapping[str, bytes]
) -> Iterator[Invariant]:
    missed = {path for path, one in planted.samples.items() if _said(one, texts.get(path, ""))}
    absent = [path for path in (*planted.samples, *planted.likes) if path not in texts]
    yield none_of("files not stored", absent, "else nothing could be missed in them")
    aside = {kind.name for kind in kinds()[2::3]}
    unseen = [path for path, one in planted.samples.items() if one.kind in aside]
    yield _share("missed %", list(planted.samples), missed, CAUGHT)
    yield _share("missed of kinds kept aside %", unseen, missed, ASIDE)
    yield none_of(
        "kinds hardly ever caught", _hardly(planted, missed, aside), "of those that are seen"
    )
    hidden = [one for path, one in planted.samples.items() if path not in missed] + planted.unread
    open_ = [planted.samples[path] for path in missed]
    public = (*planted.likes.values(), BEFORE, AFTER)
    found = list(_remains(hidden, open_, public, held))
    yield none_of(
        "caught and yet stored", found, f"of {len(hidden)}, in any of {len(held)} columns"
    )
    alarms = [path for path, text in planted.likes.items() if not _kept(text, texts.get(path, ""))]
    examples = " | ".join(sorted({planted.likes[path][:60] for path in alarms})[:4])
    yield Invariant(
        name="false alarms %",
        figure=round(100 * len(alarms) / len(planted.likes), 1),
        limit=ALARMS,
        meaning=f"{len(alarms)} of {len(planted.likes)} look-alikes {examples}",
    )
    yield at_least("kinds of secrets", len(kinds()), 100, f"{len(planted.samples)} in all")


def _share(name: str, paths: list[str], missed: set[str], caught: float) -> Invariant:
    """How many of a hundred were not caught, whose limit is what may be missed."""
    lost = sum(path in missed for path in paths)
    return Invariant(
        name=name,
        figure=round(100 * lost / len(paths), 2),
        limit=100 - caught,
        meaning=f"{len(paths) - lost} of {len(paths)} were caught",
    )


def _hardly(planted: Planted, missed: set[str], aside: set[str]) -> list[str]:
    """Kinds of which less than half was caught."""
    caught: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    for path, one in planted.samples.items():
        caught[one.kind][path not in missed] += 1
    return [name for name, n in caught.items() if name not in aside and n[True] < n[False]]


def _said(one: Sample, text: str) -> bool:
    return any(piece in text for piece in one.pieces)


def _kept(text: str, stored: str) -> bool:
    return all(line.strip() in stored for line in text.split("\n"))


def _windows(texts: Iterable[str]) -> set[bytes]:
    """All that stands in a window somewhere, in lower case as terms are."""
    return {
        data[at : at + WINDOW]
        for text in texts
        if (data := text.lower().encode())
        for at in range(len(data) - WINDOW + 1)
    }


def _remains(
    hidden: list[Sample], missed: list[Sample], public: Iterable[str], held: Mapping[str, bytes]
) -> Iterator[str]:
    """Where a part of a caught secret stands all the same."""
    around = [_without(one) for one in (*hidden, *missed)]
    known = _windows([*public, *around, *(one.text for one in missed)])
    for column, data in held.items():
        lower = data.lower()
        there = {lower[at : at + WINDOW] for at in range(len(lower) - WINDOW + 1)}
        for one in hidden:
            if rest := (_windows(one.pieces) - known) & there:
                yield f"{column}: {one.kind}: {min(rest)!r}"


def _without(one: Sample) -> str:
    """What stands around a secret."""
    text = one.text
    for piece in one.pieces:
        text = text.replace(piece, "\n")
    return text
