"""Secrets and look-alikes made at random from the formats in the two lists beside this file."""

from __future__ import annotations

import base64
import json
import random
import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
LETTERS = string.ascii_letters
SETS = {
    "h": "0123456789abcdef",
    "H": "0123456789ABCDEF",
    "w": LETTERS + string.digits,
    "u": LETTERS + string.digits + "-_",
    "b": LETTERS + string.digits + "+/",
    "l": string.ascii_lowercase + string.digits,
    "U": string.ascii_uppercase + string.digits,
    "5": string.ascii_uppercase + "234567",
    "d": string.digits,
    "a": string.ascii_lowercase,
    "p": LETTERS + string.digits + "!@#%^*_-+~",
    "j": string.ascii_lowercase + string.digits + "!@#$%^&*(-_=+)",
    "s": LETTERS + string.digits + "!@#$%^&*()-_ []{}<>~`+=,.;:/?|",
}
HOLE = re.compile(
    r"\{(?P<from>\d+)(?:-(?P<to>\d+))?:(?P<set>\w)\}"
    r"|\{(?P<maker>pem|jwt|b64|login)(?::(?P<words>[^}]*))?\}"
)
TOKEN_PLACES = (
    'client = Client("@")',
    "    api = connect(key='@', region='eu-west-1')  # production",
    "const conn = new Api(`@`);",
    "export SERVICE_AUTH=@",
    "  value: @",
    '{"auth": "@", "retries": 3}',
    "# left here for later: @",
    'curl -H "X-Auth: @" https://api.corp.internal/v1/things',
    'var k = []byte("@")',
    "token: @",
)
PIECE = 16
"""Characters of a line of a key block that is worth looking for."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of secret."""

    name: str
    pattern: str
    places: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A secret where somebody has written it."""

    kind: str
    text: str
    pieces: Sequence[str]
    """What of it must not be stored."""


def kinds() -> list[Kind]:
    """Every kind, by its name."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (HERE / "masking_kinds.txt").read_text("utf-8").splitlines():
        if line.startswith("## "):
            lines = found[line[3:]] = []
        elif line and not line.startswith("# "):
            lines.append(line)
    return [
        Kind(name=name, pattern=pattern.removeprefix(": "), places=places or TOKEN_PLACES)
        for name, (pattern, *places) in sorted(found.items())
    ]


def sample(kind: Kind, dice: random.Random) -> Sample:
    """One secret of a kind in one of its places."""
    secret = made(kind.pattern, dice)
    place = made(dice.choice(kind.places), dice).replace("\\n", "\n")
    lines = re.split(r"\n|\\n", secret)
    pieces = [line for line in lines if not line.startswith("-----") and len(line) >= PIECE]
    return Sample(kind=kind.name, text=place.replace("@", secret, 1), pieces=pieces or [secret])


def likes() -> Iterator[str]:
    """Lines that resemble those with secrets."""
    for line in (HERE / "masking_likes.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("# "):
            yield line


def made(pattern: str, dice: random.Random) -> str:
    """A text of that pattern."""
    return HOLE.sub(lambda hole: _filled(hole, dice), pattern)


def _filled(hole: re.Match[str], dice: random.Random) -> str:
    if hole["set"]:
        least = int(hole["from"])
        return "".join(
            dice.choices(SETS[hole["set"]], k=dice.randint(least, int(hole["to"] or least)))
        )
    words = (hole["words"] or "").split(":")
    if hole["maker"] == "b64":
        return base64.b64encode(dice.randbytes(int(words[0]))).decode()
    if hole["maker"] == "login":
        password = made("{12-18:p}", dice)
        return base64.b64encode(f"svc-{dice.randrange(99)}:{password}".encode()).decode()
    return _pem(words, dice) if hole["maker"] == "pem" else _token(words[0], dice)


def _pem(words: Sequence[str], dice: random.Random) -> str:
    """RFC 7468: lines of 64 characters between a head and a foot."""
    name, size, *end = words
    body = base64.b64encode(dice.randbytes(int(size))).decode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    framed = [f"-----BEGIN {name}-----", *lines, f"-----END {name}-----"]
    return (end[0] if end else "\n").join(framed)


def _token(algorithm: str, dice: random.Random) -> str:
    """RFC 7519: head, claims and a signature."""
    claims = {"sub": made("{12:l}", dice), "iat": dice.randrange(10**9), "scope": "read write"}
    signature = dice.randbytes(32 if algorithm.startswith("H") else 256)
    parts = [json.dumps({"alg": algorithm, "typ": "JWT"}).encode(), json.dumps(claims).encode()]
    return ".".join(
        base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, signature)
    )
