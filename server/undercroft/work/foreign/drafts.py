"""What every reader of another tracker needs: items that fit, and notes of what came out otherwise.

A reader answers lines. An item's `ref` stands for an id; parents and the ends of links are such
refs. A note says `why` something came out otherwise, and of `what`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from undercroft.errors import InvalidInput

Line = dict[str, Any]
Json = Mapping[str, Any]
Record = tuple[str, Any]
"""Where a value stands ("line 3"), and the value."""

TITLE, LABEL, MOST, CRITERION, BODY, NAME = 500, 100, 100, 2_000, 50_000, 200
CLOSED = ("completed", "cancelled")
_POINT = re.compile(r"\s*(?:[-*+•]\s+)?(?:\[(?P<met>[ xX])\]\s*)?(?P<text>.*\S)\s*")


def each(
    tracker: str, records: Iterable[Record], read: Callable[[Any], Iterable[Line]]
) -> Iterator[Line]:
    """The lines of every record.

    Raises:
        InvalidInput: One is of another form; it is named.

    """
    for where, value in records:
        if not isinstance(value, Mapping):
            raise InvalidInput(f"{where}: {tracker} writes an object here, and this is none.")
        try:
            yield from list(read(value))
        except KeyError as error:
            raise InvalidInput(
                f"{where}: this is not what {tracker} writes: {str(error)[:80]} is missing.",
                hint="Add it, or take the line out; nothing was imported.",
            ) from None
        except (TypeError, AttributeError, ValueError, IndexError) as error:
            raise InvalidInput(
                f"{where}: this is not what {tracker} writes: {str(error)[:120]}.",
                hint="Mend it, or take it out; nothing was imported.",
            ) from None


def unwrapped(records: Iterable[Record], open_one: Callable[[Any], list[Any]]) -> list[Record]:
    """The records inside of those that are wrapped."""
    found: list[Record] = []
    for where, value in records:
        inner = open_one(value)
        many = len(inner) != 1
        found += [(f"{where}, entry {n}" if many else where, one) for n, one in enumerate(inner, 1)]
    return found


def note(why: str, what: Any) -> Line:
    """What came out otherwise than it stands in the file."""
    return {"type": "note", "why": why, "what": str(what)[:NAME]}


def item(
    draft: Line, texts: Mapping[str, Any] | None = None, facts: Json | None = None
) -> Iterator[Line]:
    """An item that fits, after notes of what did not.

    `draft` has labels of any form and acceptance as one text. `texts` become headings of the
    description, `facts` a list in it; the empty ones are left out.
    """
    line = {"type": "item", **draft}
    more = {name: text for name, text in (texts or {}).items() if text}
    rest = {name: fact for name, fact in (facts or {}).items() if not _empty(fact)}
    yield from _title(line, more)
    yield from _labels(line, rest)
    yield from _criteria(line, more)
    yield from _assignee(line, rest)
    yield from _times(line, rest)
    parts = [str(line.get("description") or "")]
    parts += [f"## {name}\n{text}" for name, text in more.items()]
    if rest:
        told = "\n".join(f"- {name}: {_shown(fact)}" for name, fact in rest.items())
        parts.append(f"## From {line['ref'].partition(':')[0]}\n{told}")
    line["description"] = "\n\n".join(filter(None, parts)).strip()
    yield line


def comment(ref: str, body: Any, by: Any, at: Any) -> Iterator[Line]:
    """A comment; one that is too long goes on in the next."""
    text = str(body or "")
    more = {"created_by": str(by)} if by else {}
    if when := moment(at):
        more["created_at"] = when
    for start in range(0, len(text), BODY):
        yield {"type": "comment", "item": ref, "body": text[start : start + BODY], **more}


def without_circles(lines: Sequence[Line]) -> list[Line]:
    """The same lines; where items are each other's parents, one of them has none."""
    items = {one["ref"]: one for one in lines if one["type"] == "item"}
    told, sound = [], set()
    for ref in items:
        way: list[str] = []
        at: str | None = ref
        while at is not None and at in items and at not in sound and at not in way:
            way.append(at)
            at = items[at]["parent"]
        if at is not None and at in way:
            items[at]["parent"] = None
            told.append(note("items that are each other's parents: one of them has none", at))
        sound |= set(way)
    return [*lines, *told]


def once(lines: Sequence[Line]) -> list[Line]:
    """The same lines, with notes of items that are there twice: the last one counts.

    Task-master numbers a subtask twice at times: where the titles differ, both are taken.
    """
    titles: dict[str, list[str]] = {}
    found, twin = [], ("", "")
    for one in lines:
        if one["type"] == "item":
            ref, title = one["ref"], one["title"]
            known = titles.setdefault(ref, [])
            if title in known or (known and not ref.startswith("taskmaster:")):
                found.append(note("there twice in the file: the last one counts", ref))
            else:
                known.append(title)
            place = known.index(title) if title in known else 0
            twin = (ref, f"{ref} ({place + 1})" if place else ref)
            if place:
                found.append(note("has the number of another in the file: both were taken", ref))
            found.append({**one, "ref": twin[1]})
        elif one["type"] == "link" and one["target"] == twin[0]:
            # What it needs comes right after it.
            found.append({**one, "target": twin[1]})
        else:
            found.append(one)
    return found


def _title(line: Line, texts: Line) -> Iterator[Line]:
    title = str(line["title"] or "")
    if not title.strip():
        yield note("has no title", line["ref"])
        title = "(without a title)"
    elif len(title) > TITLE:
        yield note(f"titles over {TITLE} characters: whole in the description", line["ref"])
        texts["Title"] = title
        title = title[: TITLE - 1] + "…"
    line["title"] = title


def _labels(line: Line, facts: Line) -> Iterator[Line]:
    named = (one.get("name") if isinstance(one, Mapping) else one for one in line["labels"])
    names = list(dict.fromkeys(str(name) for name in named if name))
    line["labels"] = [name for name in names if len(name) <= LABEL][:MOST]
    if rest := [name for name in names if name not in line["labels"]]:
        facts["labels"] = rest
        yield note("labels that are too long or too many: in the description", line["ref"])


def _criteria(line: Line, texts: Line) -> Iterator[Line]:
    text = str(line.get("acceptance") or "")
    # Some agents write \n as two characters.
    shown = text.replace("\\n", "\n") if "\\n-" in text and "\n" not in text else text
    points = [found for one in shown.splitlines() if (found := _POINT.fullmatch(one))]
    line["acceptance"] = [
        {"text": one["text"], "met": (one["met"] or " ") != " "}
        for one in points
        if len(one["text"]) <= CRITERION
    ][:MOST]
    if len(line["acceptance"]) < len(points):
        texts["Acceptance criteria"] = text
        yield note("criteria that are too long or too many: in the description", line["ref"])


def _assignee(line: Line, facts: Line) -> Iterator[Line]:
    name = str(line.get("assignee") or "")
    line["assignee"] = name or None
    if len(name) > NAME:
        facts["assignee"], line["assignee"] = name, None
        yield note("assignees with too long names: in the description", line["ref"])


def _times(line: Line, facts: Line) -> Iterator[Line]:
    for name in ("created_at", "updated_at", "closed_at", "due"):
        given = line.pop(name, None)
        if not given or (name == "closed_at" and line["status"] not in CLOSED):
            continue
        if when := moment(given):
            line[name] = when
        else:
            facts[name] = given
            yield note("times that cannot be read: in the description", f"{line['ref']} {given}")


def moment(given: Any) -> str | None:
    """An ISO 8601 time in UTC, which it also is without a zone; None for what is none."""
    try:
        found = datetime.fromisoformat(str(given))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        return None


def _empty(fact: Any) -> bool:
    return fact in (None, "", 0, False, [], {}, "{}", "[]")


def _shown(fact: Any) -> str:
    return fact if isinstance(fact, str) else json.dumps(fact, ensure_ascii=False)
