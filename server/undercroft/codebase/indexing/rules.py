"""What makes the rows of a content, beside its text."""

from undercroft.codebase import chunking

PIPELINE = 2
"""Raise it when masking, the words or what is stored change: everything is read anew then."""

RULES = f"{PIPELINE}.{chunking.VERSION}"
"""Part of a content's digest, and of what is known about a repository."""
