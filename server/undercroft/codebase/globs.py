"""Path globs as PostgreSQL's regular expressions."""

import re
from collections.abc import Iterable

from undercroft.errors import InvalidInput

MAX_GLOBS = 20
MAX_LENGTH = 300
_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|.", re.DOTALL)
_MEANING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def patterns(globs: Iterable[str]) -> list[str]:
    """One expression for each glob: `*` and `?` stay inside a folder, `**` crosses folders.

    A glob without a slash fits a name at any depth, and one that names a folder all that is in it.

    Raises:
        InvalidInput: There are too many, or one is too long.

    """
    found = [_pattern(glob) for glob in globs if glob.strip("/ ")]
    if len(found) > MAX_GLOBS:
        raise InvalidInput(f"At most {MAX_GLOBS} globs fit into one search.")
    return found


def _pattern(glob: str) -> str:
    if len(glob) > MAX_LENGTH:
        raise InvalidInput(f"A glob has at most {MAX_LENGTH} characters.")
    text = glob.strip().removeprefix("./").strip("/")
    body = "".join(_MEANING.get(token) or _literal(token) for token in _TOKEN.findall(text))
    anywhere = "" if "/" in text else "(?:.*/)?"
    return f"^{anywhere}{body}(?:/.*)?$"


def _literal(character: str) -> str:
    """Escaped as PostgreSQL reads it: a backslash before a letter would be a class or an escape."""
    return character if character.isalnum() or character in "_/ " else f"\\{character}"
