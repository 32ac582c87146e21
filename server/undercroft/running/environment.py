"""What a child finds in its environment, and what it does not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from undercroft.errors import InvalidInput
from undercroft.settings import fields, variable

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)

_DANGEROUS = re.compile(
    r"PATH|HOME|SHELL|IFS|ENV|BASH_ENV|BASH_FUNC.*|SHELLOPTS|BASHOPTS|PS4|PROMPT_COMMAND|CDPATH"
    r"|LD_.*|DYLD_.*|GCONV_PATH|PYTHON.*|NODE_OPTIONS|NODE_PATH|PERL5.*|PERLLIB|RUBY.*|JAVA_TOOL_"
    r"OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|GIT_SSH.*|GIT_.*_COMMAND|GIT_ASKPASS|SSH_ASKPASS"
    r"|EDITOR|VISUAL|PAGER|UNDERCROFT_.*"
)
"""Variables by which a value becomes a program that runs, and our own settings."""

OWN_KEYS = frozenset(
    {"UNDERCROFT_KEY", "UNDERCROFT_OLD_KEYS"}
    | {variable(field.name) for field in fields() if field.metadata.get("secret")}
)
"""Variables that open what this program keeps; a child needs none of them."""


def environment(
    parent: Mapping[str, str], ports: Mapping[str, str], secrets: Mapping[str, str]
) -> dict[str, str]:
    """The environment of a child: the parent's without our keys, the ports, the secrets.

    What comes later wins. A DSN without a password is no key, and stays.

    Raises:
        InvalidInput: A secret's name would change which program runs, or its value cannot stand in
            an environment.

    """
    for name, value in secrets.items():
        _check(name, value)
    kept = {
        name: value
        for name, value in parent.items()
        if name not in OWN_KEYS or _is_open(name, value)
    }
    return kept | dict(ports) | dict(secrets)


def _check(name: str, value: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"The secret {name!r} cannot be a variable: its name does not allow it.")
    if _DANGEROUS.fullmatch(name):
        raise InvalidInput(
            f"The secret {name} is not put into an environment: the name changes what runs.",
            hint="Store it under another name, or leave it out with --only.",
        )
    if "\0" in value:
        raise InvalidInput(
            f"The secret {name} holds a zero byte, which no environment can hold.",
            hint="Write it to a file with `undercroft secret inject`, or leave it out with --only.",
        )


def _is_open(name: str, value: str) -> bool:
    """Whether it is an address that tells nothing secret."""
    if name != variable("database_url"):
        return False
    try:
        return urlsplit(value).password is None and "password" not in value.lower()
    except ValueError:
        return False
