"""What is asked of code: words, names and both; fixed, not chosen by how they are answered."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

QUESTIONS = (
    "where is a stale lease refused",
    "parse the headers of an HTTP response",
    "retry with exponential backoff and jitter",
    "read a zip archive without extracting it",
    "OrderedDict",
    "how are plugins discovered",
    "getaddrinfo",
    "escape HTML entities",
    "convert a timestamp into local time",
    "ThreadPoolExecutor shutdown wait",
    "open a socket without blocking",
    "JSONDecodeError",
    "what happens when the connection is closed",
    "merge two sorted lists",
    "format an exception with its traceback",
    "ArgumentParser add_argument choices",
    "load configuration from the environment",
    "lru_cache",
    "validate an email address",
    "compare two versions of a package",
    "asyncio.wait_for timeout cancels the task",
    "unicode normalization",
    "write a row of CSV",
    "find_spec",
    "resolve a relative import",
    "random numbers from a normal distribution",
    "matrix multiplication",
    "test that a warning is raised",
    "parametrize fixtures",
    "decode base64 with padding",
    "abstract syntax tree visitor",
    "PurePosixPath relative_to",
    "compile a regular expression",
    "where does the parser report a syntax error",
    "hash a password",
    "temporary directory is removed at exit",
    "subprocess pipes deadlock",
    "type checker infers the return type",
    "__getattr__",
    "serialize a model to a dictionary",
    "cookies with an expiry date",
    "read lines backwards",
    "certificate verification",
    "StreamReader readuntil separator",
    "cache invalidation when a file changes",
    "token bucket rate limiter",
    "parse a date in ISO 8601",
    "colors in the terminal",
    "walk a directory tree",
    "signal handler restores the previous one",
)


def stream(words: Sequence[str]) -> Iterator[str]:
    """Every question as it is, then again and again with one more word: none is asked twice."""
    yield from QUESTIONS
    chance = random.Random(7)  # noqa: S311 - the same questions in every run
    while True:
        for question in QUESTIONS:
            yield f"{question} {chance.choice(words)}"
