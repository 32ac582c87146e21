"""Secrets inside a text, found and replaced before anything is stored."""

from undercroft.codebase.masking.masking import Masked, mask

__all__ = ["Masked", "mask"]
