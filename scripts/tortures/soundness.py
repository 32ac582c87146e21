"""What an index holds, as it stands in the tables: sound or not, and like another one or not."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from undercroft.codebase.indexing.postings import decoded
from undercroft.db.queries import load_queries

SOUND = load_queries("tortures", "soundness.sql")
INDEX = load_queries("tortures", "index.sql")

AT_ONCE = 2_000
"""Values fetched at once."""


async def faults(connection: Any) -> list[str]:
    """What does not hold although it should at any moment."""
    found = []
    for query in SOUND:
        name = query.name.replace("_", " ")
        found += [f"{name} {row['fault']}" for row in await connection.fetch(query.text)]
    return found


async def stored(connection: Any, repository: Any) -> Counter[tuple[Any, ...]]:
    """All that an index says, each thing as often as it stands there, without its numbers."""
    told: Counter[tuple[Any, ...]] = Counter()
    for row in await connection.fetch(INDEX.list_files.text, repository):
        told["file", *(_short(value) for value in row.values())] += 1
    for row in await connection.fetch(INDEX.list_symbols.text, repository):
        told["symbol", *(_short(value) for value in row.values())] += 1
    terms = await _terms(connection)
    for row in await connection.fetch(INDEX.list_chunks.text, repository):
        values = dict(row)
        own = terms[values.pop("id")]
        told["chunk", *map(_short, values.values()), _short(str(sorted(own.items())))] += 1
    return told


async def _terms(connection: Any) -> Mapping[int, Counter[str]]:
    """Chunk → term → how often, as the postings have it; of two segments the sum."""
    found: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for row in await connection.fetch(INDEX.list_postings.text):
        places, counts = decoded(row["postings"], row["chunks"])
        for place, count in zip(places.tolist(), counts.tolist(), strict=True):
            found[row["first_chunk"] + place][row["term"]] += count
    return found


def _short(value: Any) -> str:
    """The value, or what tells a long one from others."""
    text = str(value)
    if len(text) <= 80:  # noqa: PLR2004 - short enough to be shown
        return text
    return f"{text[:24]}…{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"


async def everything(connection: Any) -> dict[str, bytes]:
    """All values of all columns that the database holds, by column."""
    held = {}
    for column in await connection.fetch(INDEX.list_columns.text):
        name = column["name"] if column["raw"] else f"{column['name']}::text"
        statement = f"SELECT {name} FROM {column['owner']}"  # noqa: S608 - names of the catalog
        values: list[bytes] = []
        async with connection.transaction():
            async for row in connection.cursor(statement, prefetch=AT_ONCE):
                value = row[0]
                values.append(value.encode() if isinstance(value, str) else value or b"")
        held[f"{column['owner']}.{column['name']}"] = b"\n".join(values)
    return held
