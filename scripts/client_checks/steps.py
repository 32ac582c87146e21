"""A step of a client: its flags, and whether the answer is right."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

Json = dict[str, Any]
Step = tuple[str, Sequence[str], Callable[[Json], bool]]


def body(answer: Json) -> Json:
    """What a tool has answered."""
    found: Json = answer["structuredContent"]
    return found


def contents(answer: Json) -> Json:
    """What a resource holds."""
    found: Json = json.loads(answer["contents"][0]["text"])
    return found


def call(tool: str, *arguments: str) -> list[str]:
    """The flags of a tool call."""
    pairs = [word for argument in arguments for word in ("--tool-arg", argument)]
    return ["--method", "tools/call", "--tool-name", tool, *pairs]
