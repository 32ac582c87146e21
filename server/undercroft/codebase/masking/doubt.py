"""Whether a value is a secret or only stands where one could: placeholders, names, examples."""

from __future__ import annotations

import re

_STANDS_FOR_ONE = re.compile(
    rb"\$\{|\$\(|\{\{|\}\}|%\(|%[sdvq]\b|<[%\w]|#\{|\{[\w.!:]{0,40}\}|\.\.\.|\*{3}|masked:|\$(?:argon2|2[aby]\$)"
    rb"|(?i:example|change.?me|placeholder|dummy|redacted|replace.?me|insert|your[_-]|my[_-]?(?:api|secret|token|pass)"
    rb"|process\.env|os\.environ|getenv|lorem|deadbeef|cafebabe|foobar|swordfish|hunter2|qwerty)"
)
_FILLER = re.compile(rb"(?i:x{4,}|0{5,}|1{5,}|a{5,}|12345\d*|abcdef\w{0,20}|98765\d*)")
"""Stands for a value, unless much else stands beside it: long random text has it by chance."""

_MUCH = 32
_NOISE = 40
"""Characters of a value that no words and no code make, whatever signs are in it."""

_WORDY = re.compile(rb"[a-z]{7}|[A-Z]{7}")
_DIGITS = re.compile(rb"[0-9]+")
_EMBEDDED = re.compile(rb"(?<![0-9a-zA-Z])[0-9a-f]{32,128}(?![0-9a-zA-Z])")
_HARMLESS_WORDS = re.compile(
    rb"(?i:passw(?:or)?d|passwd|passphrase|secret|token|key|test(?:ing)?|fake|mock|sample|demo|default|invalid|valid"
    rb"|wrong|correct|super|some|user|admin|root|guest|login|access|refresh|bearer|client|server|auth|session"
    rb"|foo|bar|baz|value|string|not|real|very|this|is|the|for|with|new|old|my|random|dev|local|public|private|api"
    rb"|postgres|mysql|redis|rabbit|mongo|tiger|scott|pass|pwd|one|two|three|abc|xyz|123+)"
)
_RUNS = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^A-Za-z0-9]")
_NUMBERS = re.compile(rb"[-+0-9.:/_,TZ ]+\Z")
_PATH = re.compile(rb"(?:[a-z][a-z0-9+]{1,10}:/)?\.{0,2}/[\w.-]+(?:/|\Z)|[A-Z]:\\|@[\w-]+/")
_HEXADECIMAL = re.compile(rb"[0-9a-fA-F-]{32,128}\Z")
_LONG = 16
_SCATTERED = 2.0
_SCATTERED_FROM = 24
_OPAQUE = 2.3
_WORDLESS = 2.2
_FEW_WORDS = 3.2


def varied(value: bytes) -> bool:
    """Neither one character over and over, nor an example or placeholder."""
    if len(set(value)) < min(8, len(value) // 2 + 1) or _STANDS_FOR_ONE.search(value):
        return False
    return not _FILLER.search(value) or len(_FILLER.sub(b"", value)) >= _MUCH


def scrambled(value: bytes) -> bool:
    """Digits, or letters of both cases that make no words."""
    return _has_digit(value) or (_run(value) < _FEW_WORDS and value.lower() != value)


def plausible(value: bytes, *, quoted: bool) -> bool:
    """Whether a value that is assigned to a telling name is a secret.

    What stands in quotes is a value; without them it may be an expression, so more is asked of it.
    """
    if noisy(value):
        return True
    if not varied(value) or _NUMBERS.match(value) or _PATH.match(value):
        return False
    if _embedded(value) or scattered(value):
        return True
    rest = _HARMLESS_WORDS.sub(b"", value).strip(b"_-. ")
    if len(rest) < (6 if len(rest) == len(value) else 8):
        return False
    return _in_quotes(value, rest) if quoted else _bare(value)


def noisy(value: bytes) -> bool:
    """Long, of letters, digits and signs in turn, without a word: as generators of keys make it."""
    return (
        len(value) >= _NOISE
        and _kinds(value) > 2  # noqa: PLR2004 -- letters, digits and signs
        and _run(value) <= 1.9  # noqa: PLR2004 -- measured
        and not _WORDY.search(value)
        and not _STANDS_FOR_ONE.match(value)
    )


def scattered(value: bytes) -> bool:
    """Letters with digits among them here and there: no identifier of that length is so."""
    return len(value) >= _SCATTERED_FROM and value.isalnum() and len(_DIGITS.findall(value)) > 2  # noqa: PLR2004 -- as in sha256with512


def opaque(value: bytes) -> bool:
    """Small and capital letters and digits in turn, as no words and no digest are."""
    core = value.translate(None, b"-_.")
    return (
        scattered(core)
        and core.lower() != core != core.upper()
        and _run(core) <= _OPAQUE
        and varied(value)
    )


def _embedded(value: bytes) -> bool:
    """A long hexadecimal number with an identifier or two in front of it."""
    found = _EMBEDDED.search(value)
    return found is not None and b":/" not in value and _has_digit(found[0])


def plausible_in_address(password: bytes) -> bool:
    """Whether what stands between a user and a host is a password that somebody uses."""
    if len(password) < 5 or not varied(password) or _NUMBERS.match(password):  # noqa: PLR2004 -- shorter is an example
        return False
    rest = _HARMLESS_WORDS.sub(b"", password)
    if len(rest) < 4:  # noqa: PLR2004 -- only such words
        return False
    return not rest.isalpha() or not (rest.islower() or rest.istitle()) or len(rest) >= _LONG - 4


def _kinds(value: bytes) -> int:
    """How many of lower case, upper case, digits and others stand in a value."""
    lower = value.lower() != value.upper() and value != value.upper()
    upper = value != value.lower()
    digits = any(code in b"0123456789" for code in value)
    return lower + upper + digits + (not value.isalnum())


def _run(value: bytes) -> float:
    """Characters of a run of one kind, on the average: words are long, random text is not."""
    return len(value) / max(1, len(_RUNS.findall(value)))


def _has_digit(value: bytes) -> bool:
    return any(code in b"0123456789" for code in value)


def _in_quotes(value: bytes, rest: bytes) -> bool:
    if _HEXADECIMAL.match(value):
        return True
    if not _has_digit(rest):
        return (
            len(value) >= _LONG
            and value.isalpha()
            and _run(value) < _WORDLESS
            and _kinds(value) > 1
        )
    if len(value) >= _LONG:
        return _run(value) <= 4 or (_run(value) <= 6 and _kinds(value) > 3)  # noqa: PLR2004 -- measured
    return (_kinds(value) > 2 and _run(value) <= 4) or (len(value) > 11 and _run(value) <= 3)  # noqa: PLR2004 -- measured


def _bare(value: bytes) -> bool:
    if _HEXADECIMAL.match(value):
        return _has_digit(value)
    digits = sum(code in b"0123456789" for code in value)
    signs = any(code in b"!@#$%^&~?" for code in value)
    if signs and digits and _kinds(value) > 2 and (len(value) < _LONG or _run(value) <= _WORDLESS):  # noqa: PLR2004 -- measured
        return True
    if len(value) >= _LONG:
        most = 3.2 if digits > 1 else 2.5
        return b"." not in value and _run(value) <= most and _kinds(value) > 1
    if _kinds(value) < 3 or not digits:  # noqa: PLR2004 -- measured
        return False
    return len(value) > 9 and digits > 1 and value.isalnum() and _run(value) <= _SCATTERED  # noqa: PLR2004 -- measured
