"""SQL text as PostgreSQL's lexer sees it: statements, and the `:app` variable.

Follows the lexical rules of PostgreSQL's manual, chapter 4.1, and psql's rule for where a
statement ends: at a semicolon outside parentheses and outside a `BEGIN ATOMIC … END` body.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from undercroft.errors import InvalidInput

_TOKEN = re.compile(
    r"""
      (?P<comment>  --[^\n]* )
    | (?P<block>    /\* )
    | (?P<string>   [eE]'(?:[^'\\]|\\.|'')*+' | '(?:[^']|'')*+' )
    | (?P<quoted>   "(?:[^"]|"")*+" )
    | (?P<dollar>   \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$ )
    | (?P<open>     ['"] | \$(?:[^\W\d]\w*)?\$ )
    | (?P<word>     [^\W\d][\w$]* )
    | (?P<number>   \d[\w.]* )
    | (?P<app>      (?<!:):app(?![\w$]) )
    | (?P<space>    \s+ )
    | (?P<other>    . )
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
_NOTHING = frozenset({"comment", "space"})
_TRANSACTION_CONTROL = frozenset({"begin", "commit", "rollback", "start", "end", "abort"})
_ROUTINE = re.compile(r"create (or replace )?(function|procedure)\b")
_OUTSIDE_TRANSACTION = re.compile(
    r"vacuum\b|cluster\b|alter system\b|(create|drop) (database|tablespace)\b"
    r"|reindex (database|system)\b|(create|drop) subscription\b"
)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement without its semicolon, and the line of the file where it begins."""

    text: str
    line: int
    words: tuple[str, ...]
    """Its bare words in lower case, quotes and comments left out."""

    @property
    def needs_own_session(self) -> bool:
        """Whether PostgreSQL refuses it inside a transaction."""
        head = " ".join(self.words[:4])
        return "concurrently" in self.words[:8] or bool(_OUTSIDE_TRANSACTION.match(head))


def split(sql: str, name: str = "SQL") -> tuple[Statement, ...]:
    """The statements of a file, in order.

    Raises:
        InvalidInput: A quote or comment is never closed, or the file begins or ends transactions.

    """
    statements: list[Statement] = []
    draft = _Draft()
    for kind, text, start in _tokens(sql, name):
        if text == ";" and draft.is_complete:
            _keep(draft, sql, statements, name)
            draft = _Draft()
        else:
            draft.add(kind, text, start)
    _keep(draft, sql, statements, name)
    return tuple(statements)


def fill_in(sql: str, app: str) -> str:
    """Replace the word `:app` (never inside quotes, comments or dollar quotes) by `app`."""
    return "".join(app if kind == "app" else text for kind, text, _ in _tokens(sql, "SQL"))


@dataclass(kw_only=True)
class _Draft:
    """A statement while it is read."""

    start: int = -1
    stop: int = -1
    words: list[str] = field(default_factory=list)
    parentheses: int = 0
    bodies: int = 0

    @property
    def is_complete(self) -> bool:
        return self.parentheses <= 0 and self.bodies <= 0

    def add(self, kind: str, text: str, start: int) -> None:
        if kind in _NOTHING:
            return
        self.start = start if self.start < 0 else self.start
        self.stop = start + len(text)
        self.parentheses += (text == "(") - (text == ")")
        if kind == "word":
            self._add_word(text.lower())

    def _add_word(self, word: str) -> None:
        self.words.append(word)
        if word in {"begin", "case", "end"} and _ROUTINE.match(" ".join(self.words[:4])):
            opens = word == "begin" or (word == "case" and self.bodies > 0)
            self.bodies += 1 if opens else -(word == "end" and self.bodies > 0)


def _keep(draft: _Draft, sql: str, statements: list[Statement], name: str) -> None:
    if draft.start < 0:
        return
    line = sql.count("\n", 0, draft.start) + 1
    if draft.words and draft.words[0] in _TRANSACTION_CONTROL:
        raise InvalidInput(
            f"{name}:{line}: a migration must not control transactions itself.",
            hint=f"Remove {draft.words[0].upper()}; the migrator wraps each file in a transaction, "
            "or runs it statement by statement under `-- no transaction`.",
        )
    text = sql[draft.start : draft.stop]
    statements.append(Statement(text=text, line=line, words=tuple(draft.words)))


def _tokens(sql: str, name: str) -> Iterator[tuple[str, str, int]]:
    position = 0
    while match := _TOKEN.match(sql, position):
        kind, end = str(match.lastgroup), match.end()
        if kind == "block":
            kind, end = "comment", _end_of_block(sql, match.start(), name)
        elif kind == "open":
            raise _unclosed(sql, match.start(), name)
        yield ("dollar" if kind == "tag" else kind), sql[position:end], position
        position = end


def _end_of_block(sql: str, start: int, name: str) -> int:
    depth = 0
    for edge in _BLOCK_EDGE.finditer(sql, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    raise _unclosed(sql, start, name)


def _unclosed(sql: str, start: int, name: str) -> InvalidInput:
    line = sql.count("\n", 0, start) + 1
    return InvalidInput(
        f"{name}:{line}: what opens here is never closed.",
        hint="Close the quote, dollar quote or comment that begins on this line.",
    )
