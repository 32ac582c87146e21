"""What the bytes of a file tell: text or not, written by hand or not."""

from __future__ import annotations

import re
from itertools import takewhile

_LOOK = 8192
"""Bytes in which a NUL, or too many control characters, tell a binary file."""

_HEAD = 2048
_HEAD_LINES = 30
_LONG = 1000
"""Bytes of a line that nobody wrote by hand, in code."""

_SMALL = 2048
"""Bytes up to which long lines do no harm."""

_PROSE = re.compile(
    r"\.(?:md|mdx|markdown|txt|rst|adoc|tex|org|textile|rtf|po|pot)\Z", re.IGNORECASE
)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r\f\x1b\b") + b"\x7f"
_WRITTEN_BY_A_PROGRAM = re.compile(
    rb"""code\ generated\ .{0,200}do\ not\ edit
    | (?<![\w/.'"`-])@generated\b | <auto-?generated
    | \b(?:auto(?:matically|matic)?[- ]?)generated\ (?:file|code|by|from|with|using|on\b)
    | \b(?:file|code|module|class|source|document)\ (?:was|is|has\ been|were)
        \ (?:auto|automatically|machine)?[- ]?generated\b
    | \bgenerated\ automatically
    | \bgenerated\ by\ (?:the\ protocol\ buffer\ compiler|grpc|swig|cython|autoconf)
    | \b(?:do\ not|don't)\ (?:edit|modify|change)\b.{0,80}\bgenerated\b
    | \bgenerated\b.{0,80}\b(?:do\ not|don't)\ (?:edit|modify|change)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_COMMENT = re.compile(
    rb'\s*(?:/[/*]|\*|#|--|;|%|<!--|<auto|"""|\'\'\'|\(\*|\{-|!|//!|@|REM\b|dnl\b)'
)

_CODE = re.compile(
    rb"\s*(?:import|from|package|using|require|#\s*include|use|def|class|const|let|var|module|namespace)\b"
)
"""Where the head of a file ends: below stand templates of generators too."""


def classify(path: str, data: bytes) -> str:
    """Why a file with these bytes is left out (binary, minified, generated), or "" to keep it."""
    if decode(data) is None:
        return "binary"
    if not data.startswith(_UTF16) and _machine_made_lines(path, data):
        return "minified"
    if _generated(data):
        return "generated"
    return ""


def decode(data: bytes) -> str | None:
    r"""The text of a file, or None if it is none.

    UTF-8, with or without a mark; UTF-16 by its mark; anything else that has no NUL and few
    control characters is taken for Latin-1, so ASCII of code in an unknown encoding stays.
    Line ends become "\n" and a NUL never comes out.
    """
    text = _decoded(data)
    if text is None or "\0" in text:
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _decoded(data: bytes) -> str | None:
    if data.startswith(_UTF16):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            return None
    head = data[:_LOOK]
    if len(head) != len(head.translate(None, _CONTROLS)) and _too_many_controls(head):
        return None
    try:
        return data.removeprefix(_UTF8_MARK).decode("utf-8")
    except UnicodeDecodeError:
        return _latin(data)


def _too_many_controls(head: bytes) -> bool:
    """A NUL, or a control character in 50 bytes."""
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return b"\0" in head or controls * 50 > len(head)


def _latin(data: bytes) -> str | None:
    """Text in which one byte of three or more is no ASCII is not Latin; what it is, nobody says."""
    foreign = len(data) - len(data.translate(None, bytes(range(128, 256))))
    return None if foreign * 3 > len(data) else data.decode("latin-1")


def _machine_made_lines(path: str, data: bytes) -> bool:
    """Most of the file stands in lines that nobody wrote."""
    lines = data.count(b"\n") + 1
    if len(data) < _SMALL or len(data) < lines * 100:
        return False
    longest = _LONG * 20 if _PROSE.search(path) else _LONG
    long = sum(length for line in data.split(b"\n") if (length := len(line)) > longest)
    return long * 2 > len(data)


def _generated(data: bytes) -> bool:
    """A comment in the file's head says that a program wrote it."""
    head = data[:_HEAD]
    if b"enerated" not in head and b"ENERATED" not in head:
        return False
    if head.startswith(_UTF16):
        head = head.replace(b"\0", b"")
    lines = head.split(b"\n", _HEAD_LINES)[:_HEAD_LINES]
    above = takewhile(lambda line: not _CODE.match(line), lines)
    comments = b" ".join(line.strip() for line in above if _COMMENT.match(line))
    return _WRITTEN_BY_A_PROGRAM.search(comments) is not None
