"""What a comment says, without the marks that make it one."""

from __future__ import annotations

import re

LEGAL = re.compile(
    r"(?i)copyright|licen[cs]e|spdx|all rights reserved|warrant(y|ies)|permission is hereby"
    r"|redistribut|@author|generated (by|from|file)|do not (edit|modify)|vim:|frozen_string|-\*-"
    r"|eslint|tslint|prettier|noqa|pylint|type: ignore|clang-format|istanbul|sourceMappingURL"
    r"|@ts-|nolint|<reference"
)
MARKS = re.compile(
    r"^\s*(?:/\*\*?!?|\*/|\*+(?!\w)|///?/?!?|//!|#+!?|--+\[*|%+|;+|=begin|=end)[ \t]?"
)
ENDING = re.compile(r"\s*\*+/\s*$|\]\]\s*$")
TAGS = re.compile(
    r"(?m)^\s*(?:@(?!link|code)\w+|\\(?:param|return|brief|file)\b|:\w+[^:\n]*:"
    r"|Args:|Arguments:|Parameters|Returns?:?\s*$|Raises:|Example[s]?:?|Usage:"
    r"|>>>|-{3,}|={3,}|\.\. |```|# Examples?|## ).*"
)
BRIEF = re.compile(r"[@\\](?:brief|fileoverview|file|summary|description|desc|module|overview)\s+")
MARKUP = re.compile(
    r"</?\w[^>]{0,80}>|\{@\w+\s+([^}]*)\}|:\w+:`~?([^`]*)`|`{1,2}([^`]*)`{1,2}|\[([^\]]*)\]\([^)]*\)"
)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`(])")
WORD = re.compile(r"[A-Za-z]{2,}")
LONGEST = 400
"""Characters of a documentation that are kept."""
FEWEST_WORDS = 3


def cleaned(comment: str) -> str:
    """The words of a comment: marks, licence paragraphs, tags and markup removed."""
    lines = [ENDING.sub("", MARKS.sub("", line)).rstrip() for line in comment.splitlines()]
    text = BRIEF.sub("", "\n".join(lines))
    paragraphs = [part for part in re.split(r"\n\s*\n", text) if not LEGAL.search(part)]
    return said("\n\n".join(paragraphs))


def said(documentation: str) -> str:
    """The description at the head of a documentation, up to its first tag or example."""
    head = documentation.strip()
    if tag := TAGS.search(head):
        head = head[: tag.start()]
    head = MARKUP.sub(lambda m: next((g for g in m.groups() if g), " "), head)
    head = " ".join(head.split())[:LONGEST]
    return head if telling(head) else ""


def telling(text: str) -> bool:
    """Whether it is a description in words: no code, no rule, no other script."""
    words = WORD.findall(text)
    if len(words) < FEWEST_WORDS or LEGAL.search(text):
        return False
    letters = sum(character.isalpha() or character == " " for character in text)
    return text.isascii() and letters > 0.75 * len(text)


def first_sentence(text: str) -> str:
    """The first sentence of a description."""
    return SENTENCE_END.split(text, maxsplit=1)[0]
