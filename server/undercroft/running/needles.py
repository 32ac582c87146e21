"""The forms in which a secret may come out of a program.

A program that means to show its secret always can: it may reverse it, or say a letter in each
line. What is looked for here are the forms that programs use without a thought: a log line, a
header, an address, JSON, a dump.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote, urlsplit

SHORTEST = 6
"""Bytes; a shorter value stands in too many words that are no secret."""

LINE = 12
"""Characters of a line of a longer value, from which on it is a secret by itself."""

WRAPS = (76, 64)
"""Columns at which programs break base64: RFC 2045 and RFC 7468."""

ALIGNMENTS = (0, 1, 2)
"""What stands before a value in base64, in bytes modulo 3."""

_ESCAPED = re.compile(r"([^\w@%+=:,./-])", re.ASCII)


def needles(secrets: Mapping[str, str]) -> dict[bytes, str]:
    """Every form of every value, with the secret's name; of equal ones the first has it."""
    found: dict[bytes, str] = {}
    for name, value in secrets.items():
        for form in forms(value):
            if len(form) >= SHORTEST:
                found.setdefault(form, name)
    return found


def too_short(secrets: Mapping[str, str]) -> list[str]:
    """The names of the secrets that cannot be masked."""
    return [name for name, value in secrets.items() if len(value.strip().encode()) < SHORTEST]


def forms(value: str) -> set[bytes]:
    """A value as programs may write it."""
    found: set[bytes] = set()
    for part in {value, value.strip(), *_password(value)}:
        if len(part.encode()) >= SHORTEST:
            found.update(text.encode() for text in _written(part))
            found.update(_encoded(part.encode()))
    for line in value.splitlines() if "\n" in value else ():
        # What names the kind of a key is no secret.
        if len(line.strip()) >= LINE and not line.startswith("-----"):
            found.update(text.encode() for text in _written(line.strip()))
    return found


def _password(value: str) -> Iterator[str]:
    """The password in an address such as that of a database."""
    try:
        password = urlsplit(value).password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)


def _written(value: str) -> Iterator[str]:
    """As text: bare, escaped for JSON, HTML, a shell or an address."""
    yield value
    # A terminal ends lines so.
    yield value.replace("\r\n", "\n").replace("\n", "\r\n")
    yield repr(value)[1:-1]
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        # A log line in JSON may hold JSON.
        for text in (once, json.dumps(once, ensure_ascii=ascii_only)[1:-1]):
            yield text
            yield text.replace("/", "\\/")
            yield _html_safe(text)
            yield re.sub(r"\\u[0-9a-f]{4}", lambda match: "\\u" + match[0][2:].upper(), text)
    yield html.escape(value)
    yield html.escape(value).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    yield value.replace("'", "'\"'\"'")
    yield value.replace("'", "'\\''")
    yield _ESCAPED.sub(r"\\\1", value)
    yield from _percent(value)


def _html_safe(text: str) -> str:
    """As Go and Rails write JSON."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _percent(value: str) -> Iterator[str]:
    """RFC 3986, with what each library leaves as it is."""
    whole = "".join(f"%{byte:02X}" for byte in value.encode())
    quoted = [quote(value, safe=safe) for safe in ("", "/", "!~*'()", ";,/?:@&=+$!~*'()#")]
    for text in (*quoted, quote_plus(value), whole):
        yield text
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), text)


def _encoded(value: bytes) -> Iterator[bytes]:
    """As hexadecimal digits, and in base64 with anything around it (RFC 4648)."""
    yield value.hex().encode()
    yield value.hex().upper().encode()
    every = {form for before in ALIGNMENTS for form in aligned(value, before)}
    for form in every:
        yield form
        yield form.translate(bytes.maketrans(b"+/", b"-_"))


def aligned(value: bytes, before: int) -> Iterator[bytes]:
    """The digits of base64 that a value alone decides when `before` bytes stand before it.

    Of 8·n bits that begin at bit 8·before, those are the groups of six that lie in them wholly.
    With nothing before it, the value may also stand alone: padded, and broken into lines.
    """
    digits = b64encode(bytes(before) + value)
    yield digits[-(-8 * before // 6) : 8 * (before + len(value)) // 6]
    if before == 0:
        yield digits
        yield digits.rstrip(b"=")
        for width in WRAPS if len(digits) > min(WRAPS) else ():
            lines = [digits[at : at + width] for at in range(0, len(digits), width)]
            yield from (line for line in lines if len(line) >= LINE)
