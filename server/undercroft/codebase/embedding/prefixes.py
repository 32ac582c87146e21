"""What models want to be put before a text, as their cards say.

A model that was trained with such words finds much less without them. A setting of the
operator's wins over what stands here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from undercroft.offers import EmbeddingOffer


class Prefixes(NamedTuple):
    """What stands before a question, and before what may answer it."""

    query: str = ""
    document: str = ""


_PASSAGES = Prefixes("Represent this sentence for searching relevant passages: ")

KNOWN: tuple[tuple[str, Prefixes], ...] = (
    (r"nomic-embed-text", Prefixes("search_query: ", "search_document: ")),
    (
        r"nomic-embed-code|coderankembed",
        Prefixes("Represent this query for searching relevant code: "),
    ),
    (r"snowflake-arctic-embed.*(2\.0|v2|2$)", Prefixes("query: ")),
    (r"snowflake-arctic-embed|mxbai-embed|bge-(small|base|large)-en", _PASSAGES),
    (
        r"\be5-[\w-]*instruct",
        Prefixes("Instruct: Find the code that answers the question\nQuery: "),
    ),
    (r"\be5-", Prefixes("query: ", "passage: ")),
    (r"qwen3-embedding", Prefixes("Instruct: Find the code that answers the question\nQuery:")),
    (r"embeddinggemma", Prefixes("task: code retrieval | query: ", "title: none | text: ")),
)
"""A part of the model's name → its words; the first that fits counts."""


def prefixes_of(offer: EmbeddingOffer) -> Prefixes:
    """What is put before the texts of this model."""
    name = offer.model.lower()
    known = next((words for part, words in KNOWN if re.search(part, name)), Prefixes())
    return Prefixes(
        known.query if offer.query_prefix is None else offer.query_prefix,
        known.document if offer.document_prefix is None else offer.document_prefix,
    )
