"""A text that is to be imported, as lines: our own, or what another tracker writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from undercroft.errors import InvalidInput
from undercroft.work.foreign import beads, github, taskmaster
from undercroft.work.foreign.drafts import Line, Record, each, once, without_circles
from undercroft.work.own import PARTS, own

READERS = {"beads": beads.lines, "taskmaster": taskmaster.lines, "github": github.lines}
FORMATS = ("auto", "undercroft", *READERS)
_CONFLICT = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")


def read(text: str, form: str) -> list[Line]:
    """The lines of a text in any of the forms; notes among them, of what came out otherwise.

    Raises:
        InvalidInput: It is none of them; where one line is at fault, it is named.

    """
    if form not in FORMATS:
        raise InvalidInput(f"There is no format {form[:64]!r}.", hint=f"{', '.join(FORMATS)}.")
    try:
        records = _records(text.removeprefix("\ufeff"))
        chosen = _guessed(records) if form == "auto" else form
        if chosen == "undercroft":
            return list(each("Undercroft", records, own))
        if "\\u0000" in text or "\\ud" in text.lower():
            records = [(where, _clean(value)) for where, value in records]
        return without_circles(once(list(READERS[chosen](records))))
    except RecursionError:
        raise InvalidInput("The text is nested too deeply.") from None


def _records(text: str) -> list[Record]:
    """One JSON document, or one a line, or several; a list stands for its items."""
    try:
        return _several([("the file", json.loads(text))])
    except ValueError as error:
        whole = error
    try:
        # Not splitlines: a JSON text may hold other ends of lines than this one.
        return [
            (f"line {number}", json.loads(line))
            for number, line in enumerate(text.split("\n"), 1)
            if line.strip()
        ]
    except ValueError:
        pass
    try:
        return _several(_documents(text))
    except ValueError:
        raise _bad(text, whole) from None


def _documents(text: str) -> Iterator[Record]:
    """One after the other, as `gh api --paginate` writes its pages."""
    decoder, at = json.JSONDecoder(), 0
    while rest := text[at:].lstrip():
        start = len(text) - len(rest)
        value, at = decoder.raw_decode(text, start)
        yield f"line {text.count(chr(10), 0, start) + 1}", value


def _several(documents: Iterable[Record]) -> list[Record]:
    """A list stands for its items."""
    found: list[Record] = []
    for where, value in documents:
        if isinstance(value, list):
            found += [(f"entry {number}", one) for number, one in enumerate(value, len(found) + 1)]
        else:
            found.append((where, value))
    return found


def _bad(text: str, whole: ValueError) -> InvalidInput:
    """What is wrong, with the line and what to do."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith(_CONFLICT):
            return InvalidInput(
                f"line {number} is a mark of a git conflict; this is neither JSON nor JSON lines.",
                hint="Resolve the conflict first; nothing was imported.",
            )
    first = text.lstrip()[:1]
    lines = [(number, one) for number, one in enumerate(text.split("\n"), 1) if one.strip()]
    if first == "{" and lines[0][1].rstrip().endswith("}"):
        for number, line in lines:
            try:
                json.loads(line)
            except ValueError as error:
                return _neither(f"line {number}: {error}")
    return _neither(str(whole))


def _neither(why: str) -> InvalidInput:
    return InvalidInput(
        f"This is neither JSON nor JSON lines: {why}.",
        hint="Mend the line or take it out; nothing was imported.",
    )


def _guessed(records: Sequence[Record]) -> str:
    """By its first objects: a file of beads may begin with memories."""
    if not records:
        raise InvalidInput("There is nothing in it.")
    for _, first in records[:50]:
        if isinstance(first, list) and first:
            return "github"
        if isinstance(first, dict) and (found := _form(first)):
            return found
    raise InvalidInput(
        "It is not clear where this comes from.",
        hint=f"Name it as the format: {', '.join(FORMATS[1:])}.",
    )


def _form(one: Mapping[str, Any]) -> str:
    if one.get("type") in PARTS and "issue_type" not in one:
        return "undercroft"
    if "issue_type" in one or "_type" in one or {"schema_version", "data"} <= one.keys():
        return "beads"
    if "id" in one and "title" in one and ("dependencies" in one or "deps" in one):
        return "beads"
    if "number" in one or any(name in one for name in ("issues", "items", "nodes", "data")):
        return "github"
    if "tasks" in one or any(isinstance(v, dict) and "tasks" in v for v in one.values()):
        return "taskmaster"
    return ""


def _clean(value: Any) -> Any:
    """Without what PostgreSQL keeps in no text: NUL, and halves of characters."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {_clean(name): _clean(one) for name, one in value.items()}
    return value
