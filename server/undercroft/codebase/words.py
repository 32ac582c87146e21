"""Terms of a text, for documents and queries alike.

An identifier gives its parts and itself: `HTTPServer` → http, server, httpserver. So a
question in words meets the parts, and one that names the identifier meets all of it at once.
"""

import re
from functools import lru_cache
from itertools import chain

TOKEN = re.compile(r"\w+")
_APART = bytes(
    code if chr(code).isascii() and (chr(code).isalnum() or chr(code) == "_") else ord(" ")
    for code in range(256)
)
"""ASCII text cut at blanks after this has the same tokens, in a third of the time."""
PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
FOREIGN_PARTS = re.compile(r"[^\W_\d\u2e80-\uffef]+|[\u2e80-\uffef]+|\d+")

MAX_TOKEN = 80
"""Longer runs are encoded data; nobody asks for them."""
MAX_PARTS = 10
"""A run that changes its kind more often is a hash, not a name."""
MAX_DIGITS = 6
"""Longer numbers are constants or times: each would be a term of its own."""
UNSTEMMED = 3
"""Words up to this length stay as they are: `is`, `as`, `bus`, `ids`."""

STOP_WORDS = frozenset(
    """
    a about after all also an and any are as at be because been before being between both but by
    can could did do does doing done each either for from had has have having here how i if in
    into is it its itself just like may me might more most much must my no nor not of off on
    once only onto or other our out over own per same shall she should so some such than that
    the their them then there these they this those through to too under until up upon us very
    via was we were what when where whether which while who whom whose why will with within
    without would you your
    """.split()  # noqa: SIM905 - 130 words in quotes would not read better
)
"""Words of a question that say nothing about what it asks for."""


def terms(text: str) -> list[str]:
    """The terms of a text in order, stemmed and in lower case, repeated as they occur."""
    return list(chain.from_iterable(map(terms_of, TOKEN.findall(text))))


def tokens(text: str) -> list[bytes]:
    """What `TOKEN` finds in a text, in UTF-8."""
    if text.isascii():
        return text.encode().translate(_APART).split()
    return [token.encode("utf-8", "surrogatepass") for token in TOKEN.findall(text)]


def asked(query: str) -> list[str]:
    """The terms of a query without stop words, each once, in order; all of them if none is left."""
    every = TOKEN.findall(query)
    telling = [token for token in every if token.lower() not in STOP_WORDS]
    return list(dict.fromkeys(chain.from_iterable(map(terms_of, telling or every))))


def parts(identifier: str) -> list[str]:
    """The words inside an identifier, in lower case: `parseHTTPBody` → parse, http, body.

    A single capital stays with the word it begins: `OAuth` is no auth of kind O. Scripts
    without spaces give pairs of neighbours, as search engines cut them.
    """
    if not identifier.isascii():
        return list(chain.from_iterable(map(_foreign, FOREIGN_PARTS.findall(identifier))))
    found = [part.lower() for part in PARTS.findall(identifier)]
    if len(found) > 1 and len(found[0]) == 1 and found[1].isalpha():
        found[:2] = [found[0] + found[1]]
    return found


def _foreign(run: str) -> list[str]:
    if run[0] < "\u2e80" or len(run) == 1:
        return [run.lower()]
    return [run[at : at + 2] for at in range(len(run) - 1)]


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """A word without its inflection: plural, -ing, -ed and the silent e that they hide.

    After steps 1 and 5a of M. F. Porter, "An algorithm for suffix stripping", 1980. What
    stands after it is for comparing, not for reading: `caching`, `cached`, `caches` → cach.
    """
    if len(word) <= UNSTEMMED or not word.isascii():
        return word
    word = singular(word)
    for ending in ("ing", "ed"):
        root = word.removesuffix(ending)
        if root != word and len(root) >= UNSTEMMED and re.search("[aeiouy]", root):
            return _mended(root)
    return word.removesuffix("e") if len(word) > UNSTEMMED + 1 else word


def singular(word: str) -> str:
    """A word without the ending of its plural."""
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith("sses"):
        return word[:-2]
    if len(word) > 1 and word.endswith("s") and word[-2] not in "sui":
        return word[:-1]
    return word


def _mended(root: str) -> str:
    """`stopp` → stop, as its verb is written."""
    doubled = root[-1] == root[-2] and root[-1] not in "lszaeiou"
    return root[:-1] if doubled else root


def terms_of(token: str) -> tuple[str, ...]:
    """The terms of one token."""
    if len(token) > MAX_TOKEN:
        return ()
    if _is_one_word(token):
        return (stem(token.lower()),)
    found = parts(token)
    if len(found) > MAX_PARTS:
        return (token.lower(),) if token.isascii() else tuple(found)
    kept = [stem(part) for part in found if not part.isdigit() or len(part) <= MAX_DIGITS]
    return tuple(kept) if len(found) <= 1 or not token.isascii() else (*kept, "".join(found))


def _is_one_word(token: str) -> bool:
    """What needs no pattern to be told: half of the tokens are `word`, `Word` or `WORD`."""
    return (
        token.isalpha()
        and token.isascii()
        and (token.islower() or token.istitle() or token.isupper())
    )
