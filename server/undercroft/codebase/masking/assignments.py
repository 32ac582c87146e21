"""Values assigned to names that tell: `password`, `api_key`, `token`, an Authorization header."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Iterator

from undercroft.codebase.masking.doubt import (
    noisy,
    opaque,
    plausible,
    plausible_in_address,
    scattered,
)

Place = tuple[int, int, str]

_NEEDLES = (b"pass", b"pwd", b"secret", b"token", b"key", b"credential", b"_pat", b"auth")
_VAGUE = frozenset((b"_pat", b"auth"))
"""Parts of names that may mean something else, as a `key` may: the value speaks for itself."""

_BEFORE_KEY = re.compile(
    rb"(?:api|access|secret|priv(?:ate)?|encrypt(?:ion)?|sign(?:ing)?|auth|account|master|shared|storage|"
    rb"subscription|licen[sc]e|deploy|app(?:lication)?|client|admin|hmac|jwt|session|integration|service|"
    rb"cipher|aes|webhook|write|ingest|server|instrumentation|cookie|base|nonce)[_. -]?\Z"
)
_HARMLESS_BEFORE = re.compile(
    rb"(?:public|pub|public_?key|hash(?:ed)?|publishable|csrf|next|page|cursor|continuation|cancel(?:lation)?)[_.-]?\Z|(?:by|com|tres|sur|en|im)\Z|::\w{0,24}\Z"
)
_HARMLESS_AFTER = re.compile(
    rb"[_-]?(?:ur[il]|name|type|field|path|file|dir|id|ids|header|prefix|suffix|regex|pattern|label|class|length|len|"
    rb"size|count|endpoint|param|policy|hint|prompt|error|message|placeholder|provider|store|manager|expir|ttl|"
    rb"format|algorithm|hash|digest|checksum|fingerprint|usage|scope|index|ref|arn|version|vault|rotation|"
    rb"info|kind|group|page|column|table|schema|input|form|reset|alias|title|text|desc|issuer|audience)",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(
    rb"""(?:passw(?:or)?d|passphrase|passcode|pass|pwd|secret|token|key|credential|_pat(?![a-z])
      |auth(?![a-z]))s?
    (?P<rest>[\w-]{0,30}+)
    (?:\\?["'`])?[\])]{0,2}
    (?:\s{0,3}:\s{0,3}[\w.<>|\[\]&' ]{1,30}?(?=\s{0,3}=))?
    (?P<sign>[ \t]{0,20}(?:=>|:=|[!=]==?|[=:,(]|>(?=[^\s<>]{6,200}</))[ \t]{0,20}
      |["',\s]{1,40}value(?:\\?["'])?[ \t]{0,3}[:=][ \t]{0,3}
      |(?:\s|["'],[ ]?["'])(?=[^\s]))
    (?: (?:[\w.:&\[\]]{0,30}\()?[bBrRuf@$L]{0,2}\\?(?P<quote>["'`])
        (?: (?:\w{2,12}[ ])?(?P<quoted>[^"'`\s\\]{8,2000}+)
          | (?P<phrase>[^"'\n\\]{40,120}) )\\?(?P=quote)
      | (?P<bare>[^\s"'`<>(){}\[\],;&|\\]{8,2000}+)(?=[\s;,&"'<\\]|\Z) )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_HEADER = re.compile(
    rb"""(?:authorization(?:\\?["'`])?[\])]?\s{0,3}(?:=>|:=|[:=,(])\s{0,3}[bBf$]{0,2}\\?["'`]?\s?
      (?:(?P<scheme>(?<![a-z])[a-z][a-z-]{2,15})\s{1,3})?
      | bearer[:\s]\s{0,3})(?P<value>[\w.~+/=-]{8,2000})""",
    re.IGNORECASE | re.VERBOSE,
)
_ENCODED_LOGIN = re.compile(rb'auth"\s{0,3}:\s{0,3}"(?P<value>[A-Za-z0-9+/=]{8,2000})"')
_BEFORE = 24


def assigned(data: bytes) -> Iterator[Place]:
    """Where values stand that are secrets by the name they are given."""
    lower = data.lower()
    for needle in _NEEDLES:
        at = lower.find(needle)
        while at >= 0:
            yield from _value(data, lower, at, needle)
            at = lower.find(needle, at + 3)
    for needle in (b"authorization", b"bearer"):
        at = lower.find(needle)
        while at >= 0:
            yield from _header(data, at)
            at = lower.find(needle, at + 6)
    for found in _ENCODED_LOGIN.finditer(data) if b'auth"' in data else ():
        if _login(found["value"]):
            yield (*found.span("value"), "password")


def _value(data: bytes, lower: bytes, at: int, needle: bytes) -> Iterator[Place]:
    before = lower[max(0, at - _BEFORE) : at]
    vague = needle in _VAGUE or (needle == b"key" and not _BEFORE_KEY.search(before))
    found = _ASSIGNED.match(data, at)
    if not found or _HARMLESS_BEFORE.search(before):
        return
    rest = found["rest"]
    # "passed", "tokenizer" and "keyboard" are other words; "passwordHash" and "TOKEN_A" are not.
    if _HARMLESS_AFTER.match(rest) or (_another_word(found)):
        return
    place = "quoted" if found["quoted"] else "phrase" if found["phrase"] else "bare"
    value = found[place]
    if not found["sign"].strip() and not _flag_or_variable(data, at):
        return
    if vague and not (opaque(value) or (needle == b"_pat" and scattered(value))):
        return
    if noisy(value) if place == "phrase" else plausible(value, quoted=place == "quoted"):
        yield (*found.span(place), _kind(needle))


def _another_word(found: re.Match[bytes]) -> bool:
    """The name goes on in lower case, or the value is only the next string of a list."""
    rest, last = found["rest"], found.string[found.start("rest") - 1 : found.start("rest")]
    return (rest[:1].islower() and last.islower()) or bool(rest and found["sign"].strip() == b",")


def _kind(needle: bytes) -> str:
    return {
        b"key": "api-key",
        b"token": "token",
        b"secret": "secret",
        b"_pat": "token",
        b"auth": "token",
    }.get(needle, "password")


def _flag_or_variable(data: bytes, at: int) -> bool:
    """`--token VALUE`, `ENV API_TOKEN VALUE`: only a space stands before the value."""
    line = data[max(0, at - 60) : at].rpartition(b"\n")[2]
    word = line.rpartition(b" ")[2]
    return word.startswith(b"--") or line.lstrip().startswith(
        (b"ENV ", b"ARG ", b"export ", b"set ")
    )


def _header(data: bytes, at: int) -> Iterator[Place]:
    found = _HEADER.match(data, at)
    if not found or _HARMLESS_BEFORE.search(data, max(0, at - _BEFORE), at):
        return
    value = found["value"]
    scheme = (found["scheme"] or b"").lower()
    secret = (
        _login(value) if scheme == b"basic" else plausible(value, quoted=False) or _dotted(value)
    )
    if secret:
        yield (*found.span("value"), "authorization")


def _dotted(value: bytes) -> bool:
    """A token of several parts, each of which is random."""
    parts = [part for part in value.split(b".") if len(part) >= 16]  # noqa: PLR2004 -- shorter tells nothing
    return b"." in value and any(plausible(part, quoted=False) for part in parts)


def _login(value: bytes) -> bool:
    """Whether base64 holds a user and a password that somebody uses."""
    try:
        user, colon, password = b64decode(value + b"=" * (-len(value) % 4)).partition(b":")
    except (Error, ValueError):
        return False
    return bool(colon) and password != user and plausible_in_address(password)
