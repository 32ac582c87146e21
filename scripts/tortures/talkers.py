"""Children that say secrets in many forms, and what must not be found in what they said."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

TALK = """
import json, os, signal, sys, time
plan = json.load(open(sys.argv[1]))
for stream, piece, wait in plan["pieces"]:
    data = bytes.fromhex(piece)
    while data:
        data = data[os.write(stream, data):]
    if wait:
        time.sleep(0.0005)
status = plan["status"]
if status < 0:
    # Python has a word in this one.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
os._exit(status)
"""
"""The child's program: it does what the plan says."""

LETTERS = string.ascii_letters + string.digits + "+/=&?%#@!~-_. "


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a child says, on which stream, in which pieces, and how it ends."""

    secrets: Mapping[str, str]
    pieces: list[tuple[int, str, bool]]
    status: int
    said: int
    """How often a secret is said."""

    def as_json(self) -> str:
        """For the child."""
        return json.dumps({"pieces": self.pieces, "status": self.status})


def made_plan(dice: random.Random, times: int, status: int, streams: tuple[int, ...]) -> Plan:
    """Random secrets, said so often in random forms, cut at random places."""
    secrets = {f"KEY_{n}": _value(dice) for n in range(dice.randint(1, 12))}
    pieces = []
    for number in range(times):
        value = dice.choice(list(secrets.values()))
        text = f"<{number}>".encode() + _said(value, dice) + b"</>\n"
        stream = dice.choice(streams)
        pieces += [(stream, piece.hex(), True) for piece in _cut(text, dice)]
    return Plan(secrets=secrets, pieces=pieces, status=status, said=times)


def _value(dice: random.Random) -> str:
    length = dice.choice((8, 12, 20, 32, 64, 200))
    # In base64 alone a needle of fewer letters would be found in other words by chance.
    return "".join(dice.choices(LETTERS, k=length)).strip().ljust(8, "x")


def _said(value: str, dice: random.Random) -> bytes:
    data, before = value.encode(), dice.randbytes(dice.randint(0, 5))
    form = dice.randrange(7)
    around = before + data + dice.randbytes(dice.randint(0, 3))
    said = (
        data,
        base64.b64encode(around),
        base64.urlsafe_b64encode(around),
        quote(value, safe="").encode(),
        data.hex().encode(),
        data.hex().upper().encode(),
        json.dumps({"v": value}).encode(),
    )
    return said[form]


def _cut(text: bytes, dice: random.Random) -> Iterator[bytes]:
    places = sorted(dice.choices(range(len(text)), k=dice.choice((0, 0, 1, 2, 5))))
    start = 0
    for place in [*places, len(text)]:
        if place > start:
            yield text[start:place]
        start = max(start, place)


def found_in(output: bytes, secrets: Mapping[str, str]) -> list[str]:
    """Which secrets can be read in an output, and in which form; not by the product's own list."""
    found = []
    for value in secrets.values():
        for name, form in _readable(value):
            if form in output:
                found.append(f"{name} of {value[:2]}…")
    return found


def _readable(value: str) -> Iterator[tuple[str, bytes]]:
    data = value.encode()
    yield "plain", data
    yield "percent", quote(value, safe="").encode()
    yield "hex", data.hex().encode()
    yield "hex", data.hex().upper().encode()
    for before in range(3):
        digits = base64.b64encode(b"\0" * before + data)
        # Digits that the neighbours have no part in.
        sure = digits[(0, 2, 3)[before] : (before + len(data)) * 4 // 3]
        yield f"base64+{before}", sure
        yield f"base64+{before}", sure.replace(b"+", b"-").replace(b"/", b"_")


def lost_in(outputs: bytes, plan: Plan) -> list[int]:
    """Which sayings did not arrive at all."""
    return [n for n in range(plan.said) if b"<%d>" % n not in outputs]
