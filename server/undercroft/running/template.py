"""A file with placeholders, `{{ NAME }}`, that are filled with secrets and ports."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from undercroft.errors import InvalidInput, NotFound

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,127})\s*\}\}", re.ASCII)

LARGEST = 1 << 20
"""Bytes of a template."""


def read_template(path: Path) -> str:
    """The text of a template.

    Raises:
        NotFound: There is no such file.
        InvalidInput: It is no text, or too long.

    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise NotFound(f"The template {path} cannot be read: {error.strerror}.") from None
    if len(data) > LARGEST:
        raise InvalidInput(f"The template {path} has more than {LARGEST:,} bytes.")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"The template {path} is not UTF-8 text.") from None


def names_in(template: str) -> list[str]:
    """The names that a template wants, each once, in its order."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(template)))


def check_known(template: str, known: set[str]) -> None:
    """See that every placeholder can be filled.

    Raises:
        NotFound: Some cannot; all are named, with their lines.

    """
    missing = [
        f"{name} (line {number})"
        for number, line in enumerate(template.splitlines(), 1)
        for name in _PLACEHOLDER.findall(line)
        if name not in known
    ]
    if missing:
        raise NotFound(
            f"The template names what is neither a secret nor a port here: {', '.join(missing)}.",
            hint="`undercroft secret set NAME` stores a secret, `undercroft port web` gives "
            "WEB_PORT. Nothing was written.",
        )


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its placeholders filled; a value is not looked into again."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


def check_target(target: Path, template: Path) -> None:
    """See that the result goes to a place of its own.

    Raises:
        InvalidInput: The result would replace its template, or what is no file.

    """
    if target.exists() and not target.is_file():
        raise InvalidInput(f"{target} is not a file.")
    if target.resolve() == template.resolve() or (target.exists() and target.samefile(template)):
        raise InvalidInput(
            f"{target} is the template itself.", hint="Name another file with -o, for example .env."
        )


def write_private(target: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all.

    A link is replaced by the file, not followed.

    Raises:
        InvalidInput: It cannot be written there.

    """
    try:
        # mkstemp makes it 0600 from its first moment.
        handle, path = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise InvalidInput(f"{target} cannot be written: {error.strerror}.") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(path).replace(target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            Path(path).unlink()
        if isinstance(error, OSError):
            raise InvalidInput(f"{target} cannot be written: {error.strerror}.") from None
        raise
