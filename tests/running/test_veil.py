"""What is masked, and that it does not matter how a text was cut."""

from __future__ import annotations

import base64
import json
import shlex
import string
import time
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undercroft.running.needles import forms, needles, too_short
from undercroft.running.veil import Needles, Veil

SECRET = "p4ss/W+rd&\"quoted\" 'é' 100%"


def masked(text: bytes, **secrets: str) -> bytes:
    veil = Veil(Needles(secrets))
    return veil.feed(text) + veil.close()


def in_pieces(text: bytes, cuts: list[int], veil: Veil) -> bytes:
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[a:b] for a, b in pairwise(places)]
    return b"".join(map(veil.feed, pieces)) + veil.close()


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(json.dumps({"a": SECRET})),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(SECRET).replace("&", "\\u0026"),
        repr(SECRET),
        shlex.quote(SECRET),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(SECRET, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
        "".join(f"%{byte:02x}" for byte in SECRET.encode()),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
    ],
)
def test_a_value_is_known_in_every_form_that_programs_write(form: str) -> None:
    if form == quote(SECRET, safe="").replace("%2F", "%2f").replace("%2B", "%2b"):
        form = "".join(p.lower() if p.startswith("%") else p for p in _percents(form))
    shown = masked(f"before {form} after".encode(), KEY=SECRET)
    assert b"***KEY***" in shown
    assert shown.startswith(b"before ")
    assert shown.endswith(b" after")
    assert b"W" not in shown
    assert b"quoted" not in shown


def _percents(text: str) -> list[str]:
    import re

    return re.split(r"(%[0-9A-Fa-f]{2})", text)


@given(
    before=st.binary(max_size=8),
    after=st.binary(max_size=8),
    urlsafe=st.booleans(),
    value=st.text(string.ascii_letters + string.digits + "+/?-_é", min_size=8, max_size=90),
)
def test_base64_is_known_whatever_stands_around_the_value(
    before: bytes, after: bytes, urlsafe: bool, value: str
) -> None:
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    digits = encode(before + value.encode() + after)
    shown = masked(b"Authorization: Basic " + digits + b"\n", KEY=value)
    assert b"***KEY***" in shown
    # What is left are the digits that its neighbours have a part in.
    rest = shown.replace(b"***KEY***", b"").removeprefix(b"Authorization: Basic ").strip()
    outside = len(base64.b64encode(before)) + len(base64.b64encode(after)) + 4
    assert len(rest) <= outside


def test_base64_that_is_broken_into_lines_is_known() -> None:
    value = "v" + "0123456789abcdef" * 12
    shown = masked(base64.encodebytes(value.encode()), KEY=value)
    assert shown.replace(b"***KEY***", b"").strip() == b""


def test_every_line_of_a_longer_value_is_a_secret() -> None:
    key = (
        "-----BEGIN KEY-----\n" + "\n".join(c * 20 for c in "abc") + "\nshort\n-----END KEY-----\n"
    )
    shown = masked(f"x {'b' * 20} short -----BEGIN KEY-----".encode(), KEY=key)
    assert shown == b"x ***KEY*** short -----BEGIN KEY-----"
    assert masked(key.replace("\n", "\r\n").encode(), KEY=key) == b"***KEY***"


def test_the_password_in_an_address_is_a_secret_by_itself() -> None:
    url = "postgres://shop:p%40ssw0rd%21@db.example.com/shop"
    for said in (url, "p%40ssw0rd%21", "p@ssw0rd!"):
        assert masked(f"<{said}>".encode(), URL=url) == b"<***URL***>"
    assert masked(b"db.example.com/shop", URL=url) == b"db.example.com/shop"


def test_secrets_that_share_letters_are_hidden_whole() -> None:
    both = {"ONE": "abcdefgh", "TWO": "fghijklm"}
    assert masked(b"-abcdefghijklm-", **both) == b"-***ONE***-"
    assert masked(b"-abcdefghfghijklm-", **both) == b"-***ONE******TWO***-"
    longer = {"SHORT": "abcdefgh", "LONG": "abcdefghijkl"}
    assert masked(b"abcdefghijkl abcdefghijk", **longer) == b"***LONG*** ***SHORT***ijk"


def test_what_is_too_short_is_told_and_left() -> None:
    secrets = {"PIN": "1234", "FLAG": "true", "EMPTY": "", "KEY": "123456"}
    assert too_short(secrets) == ["PIN", "FLAG", "EMPTY"]
    assert masked(b"true 1234 123456", **secrets) == b"true 1234 ***KEY***"


def test_a_value_that_stands_in_its_own_name_is_not_shown_by_it() -> None:
    assert masked(b"say PRODUCTION", PRODUCTION="PRODUCTION") == b"say ***"


def test_text_that_begins_no_secret_is_passed_on_at_once() -> None:
    veil = Veil(Needles({"KEY": "secret-value"}))
    assert veil.feed(b"Password: ") == b"Password: "
    assert veil.feed(b"\r 45 of 100") == b"\r 45 of 100"
    assert veil.feed(b"a sec") == b"a "
    assert veil.feed(b"ond") == b"second"
    assert veil.feed(b"secret-valu") == b""
    assert veil.close() == b"secret-valu"


def test_a_terminal_is_shown_the_first_letters_and_never_the_rest() -> None:
    veil = Veil(Needles({"KEY": "secret-value"}))
    shown = b""
    for letter in b"secret-value":
        shown += veil.feed(bytes([letter])) + veil.ease()
    assert shown + veil.close() == b"sec***KEY***"
    assert veil.feed(b"se") + veil.ease() + veil.feed(b"nd") + veil.close() == b"send"


NEEDLES = Needles({"A": "abababab", "B": "babaca", "C": "aaaaaaa", "D": "abcabcab\ncabcabcabcabc"})


@settings(max_examples=300)
@given(
    text=st.lists(
        st.sampled_from([*NEEDLES.marks, b"a", b"b", b"ab", b"ca", b"\n", b"abcabc"]), max_size=30
    ).map(b"".join),
    cuts=st.lists(st.integers(0, 300), max_size=20),
)
def test_any_cut_of_any_text_gives_the_same_and_leaves_no_needle(
    text: bytes, cuts: list[int]
) -> None:
    whole = in_pieces(text, [], Veil(NEEDLES))
    assert in_pieces(text, cuts, Veil(NEEDLES)) == whole
    assert [needle for needle in NEEDLES.marks if needle in whole] == []
    assert whole == by_definition(text)


def by_definition(text: bytes) -> bytes:
    """All places, those that overlap as one, each replaced by the mark of its longest first."""
    places = sorted(
        (at, -len(needle), mark)
        for needle, mark in NEEDLES.marks.items()
        for at in range(len(text))
        if text.startswith(needle, at)
    )
    out, end = b"", 0
    for at, length, mark in places:
        if at >= end:
            out += text[end:at] + mark
        end = max(end, at - length)
    return out + text[end:]


@given(data=st.binary(min_size=2_000, max_size=6_000), at=st.integers(0, 1_990))
def test_large_pieces_are_searched_as_small_ones_are(data: bytes, at: int) -> None:
    secrets = {"KEY": "a-value-that-is-long", "SIX": "sixsix"}
    text = data[:at] + b"a-value-that-is-long" + data[at:] + b"sixsix"
    found = Needles(secrets)
    small = in_pieces(text, list(range(0, len(text), 500)), Veil(found))
    assert in_pieces(text, [], Veil(found)) == small
    assert small.endswith(b"***SIX***")
    assert b"***KEY***" in small


def test_needles_are_no_shorter_than_what_may_be_masked() -> None:
    assert min(map(len, forms("abcdef"))) >= 6
    assert set(needles({"A": "same-value", "B": "same-value"}).values()) == {"A"}


def test_a_text_full_of_beginnings_is_no_trap() -> None:
    veil = Veil(Needles({"URL": "https://hooks.example.com/T0123456/abcdef"}))
    text = b"https://hooks.example.com/T0123/ " * 6_000
    begun = time.perf_counter()
    assert veil.feed(text) + veil.close() == text
    # 200 kB; a search that begins anew at every letter takes minutes.
    assert time.perf_counter() - begun < 5
